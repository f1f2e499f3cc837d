package endorser

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// proposal is what a client's proposal says.
type proposal struct {
	signed    *pb.SignedProposal
	outer     pb.Proposal
	header    pb.Header
	channel   pb.ChannelHeader
	signature pb.SignatureHeader
	chaincode string
	input     *pb.ChaincodeInput
	hash      []byte
	// who is the client, or stranger says why there is nobody. Both are nil where nobody is known. That the client has signed is not
	// checked yet.
	who      *identity.Verified
	stranger error
	// evaluated says that nobody wants the endorsement.
	evaluated bool
}

// open decodes a proposal's headers. Fabric's filters do that before anything else (core/handlers/auth/filter), with these texts.
func (p *proposal) open(signed *pb.SignedProposal) error {
	p.signed = signed
	if err := decode(signed.GetProposalBytes(), &p.outer); err != nil {
		return errors.WithMessage(err, "failed parsing proposal")
	}
	if err := decode(p.outer.GetHeader(), &p.header); err != nil {
		return errors.WithMessage(err, "failed parsing header")
	}
	if err := decode(p.header.GetSignatureHeader(), &p.signature); err != nil {
		return errors.WithMessage(err, "failed parsing signature header")
	}
	return errors.WithMessage(decode(p.header.GetChannelHeader(), &p.channel), "failed parsing channel header")
}

// inTime checks what Fabric's filters check: that the client's certificate hasn't ended, and that the proposal is of now.
func (p *proposal) inTime(now time.Time, window time.Duration) error {
	if ends := p.ends(); !ends.IsZero() && now.After(ends) {
		return errors.New("proposal client identity expired")
	}
	at := p.channel.GetTimestamp().AsTime()
	if off := now.Sub(at); off > window || off < -window {
		return errors.Errorf("request unauthorized due to incorrect timestamp %s, peer time %s, peer.authentication.timewindow %s",
			at.Format(time.RFC3339), now.Format(time.RFC3339), window)
	}
	return nil
}

// ends returns when the client's certificate ends, or zero if it can't be read. That of a member was read already.
func (p *proposal) ends() time.Time {
	if p.who != nil {
		return p.who.ExpiresAt()
	}
	return identity.ExpiresAt(p.signature.GetCreator())
}

// unpack decodes the rest. The texts are Fabric's (core/endorser, msgvalidation.go).
func (p *proposal) unpack() error {
	var (
		extension pb.ChaincodeHeaderExtension
		payload   pb.ChaincodeProposalPayload
		call      pb.ChaincodeInvocationSpec
	)
	if err := decode(p.channel.GetExtension(), &extension); err != nil {
		return err
	}
	if extension.GetChaincodeId() == nil {
		return errors.New("ChaincodeHeaderExtension.ChaincodeId is nil")
	}
	if p.chaincode = extension.GetChaincodeId().GetName(); p.chaincode == "" {
		return errors.New("ChaincodeHeaderExtension.ChaincodeId.Name is empty")
	}
	if err := decode(p.outer.GetPayload(), &payload); err != nil {
		return err
	}
	if err := decode(payload.GetInput(), &call); err != nil {
		return err
	}
	if call.GetChaincodeSpec() == nil {
		return errors.New("chaincode invocation spec did not contain chaincode spec")
	}
	if p.input = call.GetChaincodeSpec().GetInput(); p.input == nil {
		return errors.New("chaincode input did not contain any input")
	}
	var err error
	p.hash, err = block.HashProposal(&p.header, &payload)
	return err
}

// decode decodes a message. As in Fabric, an empty one is no error.
func decode(b []byte, into proto.Message) error {
	return errors.Wrapf(proto.Unmarshal(b, into), "error unmarshalling %s", into.ProtoReflect().Descriptor().Name())
}

// admit checks who proposes, and that it is new.
func (e *Endorser) admit(ctx context.Context, p *proposal, channel *Channel) error {
	who, err := e.validate(p, channel.Verifier)
	if err != nil {
		return errors.WithMessage(err, "error validating proposal")
	}
	if p.channel.GetChannelId() == "" {
		return nil
	}
	used, err := channel.Committed(ctx, p.channel.GetTxId())
	if err != nil {
		return errors.WithMessagef(err, "look for transaction %s", p.channel.GetTxId())
	}
	if used {
		return errors.Errorf("duplicate transaction found [%s]. Creator [%x]", p.channel.GetTxId(), p.signature.GetCreator())
	}
	if channel.Writers == nil || slices.Contains(e.cfg.Builtins, p.chaincode) {
		return nil
	}
	if cause := channel.Writers.Evaluate([]*identity.Verified{who}); cause != nil {
		return errors.Errorf("Failed evaluating policy on signed data during check policy on channel [%s] with policy [/Channel/Application/Writers]: [%s]",
			p.channel.GetChannelId(), cause)
	}
	return nil
}

// validate checks what Fabric's UnpackedProposal.Validate does, and returns who has signed.
func (e *Endorser) validate(p *proposal, verifier *identity.Verifier) (*identity.Verified, error) {
	switch t := pb.HeaderType(p.channel.GetType()); t {
	case pb.HeaderType_ENDORSER_TRANSACTION, pb.HeaderType_CONFIG: // Fabric accepts both
	default:
		return nil, errors.Errorf("invalid header type %s", t)
	}
	switch want := identity.ComputeTxID(p.signature.GetNonce(), p.signature.GetCreator()); {
	case p.channel.GetEpoch() != 0:
		return nil, errors.New("epoch is non-zero")
	case len(p.signature.GetNonce()) == 0:
		return nil, errors.New("nonce is empty")
	case len(p.signature.GetCreator()) == 0:
		return nil, errors.New("creator is empty")
	case p.channel.GetTxId() != want:
		return nil, errors.Errorf("incorrectly computed txid '%s' -- expected '%s'", p.channel.GetTxId(), want)
	case p.signed.GetSignature() == nil:
		return nil, errors.New("empty signature bytes")
	}
	return e.authenticate(p, verifier)
}

// authenticate returns who has signed. Why somebody isn't believed is logged, and not told.
func (e *Endorser) authenticate(p *proposal, verifier *identity.Verifier) (who *identity.Verified, err error) {
	if verifier == nil {
		err = errors.New("nobody is known here")
	} else if who, err = p.who, p.stranger; err == nil {
		err = who.Verify(p.signed.GetProposalBytes(), p.signed.GetSignature())
	}
	if err == nil {
		return who, nil
	}
	e.cfg.Logger.Warn("access denied", zap.String("channel", p.channel.GetChannelId()), zap.String("txID", p.channel.GetTxId()), zap.String("cause", err.Error()))
	mspID, known := claimed(p.signature.GetCreator())
	if verifier == nil || !known || strange(err) || !slices.Contains(verifier.MSPIDs(), mspID) {
		return nil, errors.Errorf("access denied: channel [%s] creator org unknown, creator is malformed", p.channel.GetChannelId())
	}
	return nil, errors.Errorf("access denied: channel [%s] creator org [%s]", p.channel.GetChannelId(), mspID)
}

// strange reports whether no chain leads from a certificate to a CA of its MSP. Fabric looks for the CA when it makes the form of a signature
// unique, before it asks whether an identity is valid, and so only if the signature is ECDSA's (msp, mspimpl.go).
func strange(err error) bool {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		cert    *x509.Certificate
	)
	switch {
	case errors.As(err, &unknown):
		cert = unknown.Cert
	case errors.As(err, &invalid):
		cert = invalid.Cert
	}
	if cert == nil {
		return false
	}
	switch cert.SignatureAlgorithm {
	case x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}

// claimed returns the ID of the MSP that a creator claims to be of. It is not known if its certificate can't be read.
func claimed(creator []byte) (mspID string, known bool) {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return "", false
	}
	_, err := identity.Canonical(creator)
	return id.GetMspid(), err == nil
}
