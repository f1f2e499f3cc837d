package committer

import (
	"bytes"
	"context"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// envelope has the layers of an envelope, which are nested as bytes. They are opened as far as they can be, from the outside in, and
// checked on the way, in Fabric's order. Nothing in them is trusted. That a message is missing is no error where it is none in Fabric:
// then it is a message without fields. But some bytes must be there, even if there are none, and Fabric tells that by nil. So does this.
type envelope struct {
	outer     pb.Envelope
	payload   pb.Payload
	channel   pb.ChannelHeader
	signature pb.SignatureHeader
	inner     *pb.TransactionAction
	action    pb.ChaincodeActionPayload
	endorsed  pb.ProposalResponsePayload
	extension pb.ChaincodeHeaderExtension
	done      pb.ChaincodeAction
	rwset     pb.TxReadWriteSet
}

func (e *envelope) isConfig() bool { return pb.HeaderType(e.channel.GetType()) == pb.HeaderType_CONFIG }

// timestamp is when it was proposed, as its creator says, or zero.
func (e *envelope) timestamp() time.Time {
	if t := e.channel.GetTimestamp(); t.IsValid() {
		return t.AsTime()
	}
	return time.Time{}
}

// decode decodes a message, and returns a Refusal if it can't. It looks at ctx: a message may be as large as the block, and of millions
// of parts.
func decode(ctx context.Context, b []byte, into proto.Message, code kvledger.ValidationCode) error {
	err := portions.Unmarshal(ctx, b, into)
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if err != nil {
		return refuseBecause(code, errors.Wrapf(err, "decode %s", into.ProtoReflect().Descriptor().Name()))
	}
	return nil
}

// open opens the layers that all kinds of transactions have (Fabric: core/common/validation, msgvalidation.go).
func (e *envelope) open(ctx context.Context, entry []byte) error {
	if err := decode(ctx, entry, &e.outer, kvledger.InvalidOtherReason); err != nil {
		return err
	}
	if err := decode(ctx, e.outer.GetPayload(), &e.payload, kvledger.BadPayload); err != nil {
		return err
	}
	header := e.payload.GetHeader()
	if header == nil {
		return refuse(kvledger.BadCommonHeader, "there is no header")
	}
	if err := decode(ctx, header.GetChannelHeader(), &e.channel, kvledger.BadCommonHeader); err != nil {
		return err
	}
	if err := decode(ctx, header.GetSignatureHeader(), &e.signature, kvledger.BadCommonHeader); err != nil {
		return err
	}
	switch t := pb.HeaderType(e.channel.GetType()); t {
	case pb.HeaderType_ENDORSER_TRANSACTION, pb.HeaderType_CONFIG_UPDATE, pb.HeaderType_CONFIG:
	default:
		return refuse(kvledger.BadCommonHeader, "invalid header type %s", t)
	}
	if epoch := e.channel.GetEpoch(); epoch != 0 {
		return refuse(kvledger.BadCommonHeader, "epoch is %d, want 0", epoch)
	}
	return nil
}

func checkSignatureHeader(h *pb.SignatureHeader, code kvledger.ValidationCode) error {
	switch {
	case len(h.GetNonce()) == 0:
		return refuse(code, "nonce is empty")
	case len(h.GetCreator()) == 0:
		return refuse(code, "creator is empty")
	}
	return nil
}

// authenticate checks that the envelope is its creator's, and that the creator is a member of the channel.
func (e *envelope) authenticate(members *identity.Verifier) error {
	if err := checkSignatureHeader(&e.signature, kvledger.BadCommonHeader); err != nil {
		return err
	}
	who, err := members.Identify(e.signature.GetCreator())
	if err != nil {
		return refuseBecause(kvledger.BadCreatorSignature, errors.WithMessage(err, "creator"))
	}
	if err := who.Verify(e.outer.GetPayload(), e.outer.GetSignature()); err != nil {
		return refuseBecause(kvledger.BadCreatorSignature, errors.WithMessage(err, "creator"))
	}
	return nil
}

// checkContents checks what the types of transactions don't have in common.
func (e *envelope) checkContents(ctx context.Context) error {
	switch {
	case e.isConfig():
		if e.payload.GetData() == nil {
			return refuse(kvledger.InvalidConfigTransaction, "there is no configuration")
		}
		return nil
	case pb.HeaderType(e.channel.GetType()) == pb.HeaderType_CONFIG_UPDATE:
		return refuse(kvledger.UnsupportedTxPayload, "header type CONFIG_UPDATE doesn't stand in blocks")
	}
	if want := identity.ComputeTxID(e.signature.GetNonce(), e.signature.GetCreator()); e.channel.GetTxId() != want {
		return refuse(kvledger.BadProposalTxID, "transaction ID is %.64q, want %s", e.channel.GetTxId(), want)
	}
	return e.checkAction(ctx)
}

// checkAction checks that there is one action, and that what was endorsed is what was proposed.
func (e *envelope) checkAction(ctx context.Context) error {
	const code = kvledger.InvalidEndorserTransaction
	var tx pb.Transaction
	if err := decode(ctx, e.payload.GetData(), &tx, code); err != nil {
		return err
	}
	if n := len(tx.GetActions()); n != 1 {
		return refuse(code, "there are %d actions, want 1", n)
	}
	e.inner = tx.GetActions()[0]
	var header pb.SignatureHeader
	if err := decode(ctx, e.inner.GetHeader(), &header, code); err != nil {
		return err
	}
	if err := checkSignatureHeader(&header, code); err != nil {
		return err
	}
	if err := decode(ctx, e.inner.GetPayload(), &e.action, code); err != nil {
		return err
	}
	if err := decode(ctx, e.action.GetAction().GetProposalResponsePayload(), &e.endorsed, code); err != nil {
		return err
	}
	if e.payload.GetHeader().GetChannelHeader() == nil || e.action.GetChaincodeProposalPayload() == nil {
		return refuse(code, "there is no proposal")
	}
	// It is the action's signature header, whatever the envelope's own is.
	hash := block.HashParts(e.payload.GetHeader().GetChannelHeader(), e.inner.GetHeader(), e.action.GetChaincodeProposalPayload())
	if !bytes.Equal(hash, e.endorsed.GetProposalHash()) {
		return refuse(code, "what was endorsed is another proposal: the hashes differ")
	}
	return nil
}

// openAction opens what the chaincode has done (Fabric: txvalidator/v20/plugindispatcher, dispatcher.go).
func (e *envelope) openAction(ctx context.Context) error {
	if err := decode(ctx, e.channel.GetExtension(), &e.extension, kvledger.BadHeaderExtension); err != nil {
		return err
	}
	if e.endorsed.GetExtension() == nil {
		return refuse(kvledger.BadResponsePayload, "ChaincodeAction is missing")
	}
	if err := decode(ctx, e.endorsed.GetExtension(), &e.done, kvledger.BadResponsePayload); err != nil {
		return err
	}
	return decode(ctx, e.done.GetResults(), &e.rwset, kvledger.BadRWSet)
}

// checkChaincode checks which chaincode was called, and its event.
func (e *envelope) checkChaincode(ctx context.Context) error {
	called, did := e.extension.GetChaincodeId(), e.done.GetChaincodeId()
	switch {
	case called == nil:
		return refuse(kvledger.InvalidOtherReason, "the header's extension names no chaincode")
	case did == nil:
		return refuse(kvledger.InvalidOtherReason, "the response names no chaincode")
	case called.GetName() == "":
		return refuse(kvledger.InvalidChaincode, "the chaincode's name is empty")
	case called.GetName() != did.GetName():
		return refuse(kvledger.InvalidChaincode, "chaincode %.64q was called, but %.64q has answered", called.GetName(), did.GetName())
	case did.GetVersion() == "":
		return refuse(kvledger.InvalidChaincode, "the chaincode's version is empty")
	case e.done.GetEvents() == nil:
		return nil
	}
	var event pb.ChaincodeEvent
	if err := decode(ctx, e.done.GetEvents(), &event, kvledger.InvalidOtherReason); err != nil {
		return err
	}
	if event.GetChaincodeId() != called.GetName() {
		return refuse(kvledger.InvalidOtherReason, "chaincode %.64q has set an event of %.64q", called.GetName(), event.GetChaincodeId())
	}
	return nil
}
