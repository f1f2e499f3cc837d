// Command fabric answers, with Fabric's own code, what this repository's packages are asked in tests. A request is a line of
// JSON on the standard input, and its answer a line on the standard output.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/endorser"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// organization is what the oracle is told of an organization.
type organization struct {
	MSPID string
	Root  []byte // PEM
	// Intermediates and Admins are certificates, Lists revocation lists, all in PEM.
	Intermediates, Admins, Lists [][]byte
	// NoUnits says that roles are not told by units.
	NoUnits bool
}

// signed is something that somebody has signed.
type signed struct{ Identity, Data, Signature []byte }

// question is a request. One of its fields is set.
type question struct {
	// Organizations are from then on those whose members are known.
	Organizations []organization
	// Policy and Signers ask whether those who sign are enough. Without signers, Policy is only parsed.
	Policy  *string
	Signers [][]byte // marshalled SerializedIdentity
	// Envelope and Signed ask whether those whose signatures are good are enough for a marshalled SignaturePolicyEnvelope.
	Envelope []byte
	Signed   []signed
	// Block, a marshalled Block, asks for its hashes.
	Block []byte
	// Proposal, a marshalled Proposal, and Responses, marshalled ProposalResponses, ask for the transaction that the
	// creator of the proposal makes of them.
	Proposal  []byte
	Responses [][]byte
	// Signed proposal: Proposal with its Signature is checked as an endorser does, by the organizations.
	Endorse   bool
	Signature []byte
	// Channel is from then on the one whose blocks are committed, by members of the organizations. Commit, a marshalled Block whose
	// header doesn't matter, asks for the codes of the envelopes in it.
	Channel *channel
	Commit  []byte
	// Folder, an MSP folder, asks for the identity in it, and for its signature over Message.
	Folder, MSPID string
	Message       []byte
	// Config, a marshalled Block with a channel's configuration, asks what is in it, or whether those whose signatures in Signed are good
	// are enough for the policy whose path is Policy.
	Config []byte
	// Layouts, marshalled SignaturePolicyEnvelopes, ask which of the peers that are Signers must endorse to fulfil them all.
	Layouts [][]byte
}

// answer is what Fabric says.
type answer struct {
	// Envelope is the parsed policy as Fabric sends it.
	Envelope []byte
	// ParseError and Error are the errors of parsing and of evaluating.
	ParseError, Error string
	// HeaderHash and DataHash are a block's.
	HeaderHash, DataHash []byte
	// Payload is a transaction's.
	Payload []byte
	// Creator is an identity, and Signature what it has signed.
	Creator, Signature []byte
	// Codes are the TxValidationCodes of a block's envelopes.
	Codes []byte
	// Names are what a configuration says, sorted: MSPs, hosts and so on.
	Names []string
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() (err error) {
	var o oracle
	defer func() {
		if closed := o.close(); err == nil {
			err = closed
		}
	}()
	in := bufio.NewReader(os.Stdin)
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(os.Stdout)
	for decoder.More() {
		var q question
		if err := decoder.Decode(&q); err != nil {
			return err
		}
		a, err := o.answer(q)
		if err != nil {
			return err
		}
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

type oracle struct {
	msps     msp.MSPManager
	channels []*peerChannel
}

func (o *oracle) answer(q question) (a answer, err error) {
	switch {
	case q.Organizations != nil:
		return a, o.know(q.Organizations)
	case q.Channel != nil:
		return a, o.join(*q.Channel)
	case q.Commit != nil:
		return o.commit(q.Commit)
	case q.Envelope != nil:
		return o.evaluateSigned(q)
	case q.Block != nil:
		return hashes(q.Block)
	case q.Endorse:
		return o.check(q)
	case q.Proposal != nil:
		return transaction(q.Proposal, q.Responses)
	case q.Folder != "":
		return sign(q)
	case q.Layouts != nil:
		return o.layouts(q)
	case q.Config != nil:
		return configuration(q)
	}
	return o.evaluate(q)
}

func hashes(marshalled []byte) (answer, error) {
	b, err := protoutil.UnmarshalBlock(marshalled)
	if err != nil {
		return answer{}, err
	}
	return answer{HeaderHash: protoutil.BlockHeaderHash(b.Header), DataHash: protoutil.BlockDataHash(b.Data)}, nil
}

// sign signs with the identity in a folder, if Fabric takes it for a valid one.
func sign(q question) (a answer, err error) {
	config, err := msp.GetLocalMspConfig(q.Folder, nil, q.MSPID)
	if err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	store, err := sw.NewFileBasedKeyStore(nil, filepath.Join(q.Folder, "keystore"), true)
	if err != nil {
		return a, err
	}
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(store)
	if err != nil {
		return a, err
	}
	m, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_4_3}}, csp)
	if err != nil {
		return a, err
	}
	if err := m.Setup(config); err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // as above
	}
	id, err := m.GetDefaultSigningIdentity()
	if err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // as above
	}
	if err := id.Validate(); err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // as above
	}
	if a.Creator, err = id.Serialize(); err != nil {
		return a, err
	}
	a.Signature, err = id.Sign(q.Message)
	return a, err
}

// check does what an endorser checks of a proposal by itself.
func (o *oracle) check(q question) (answer, error) {
	up, err := endorser.UnpackProposal(&peer.SignedProposal{ProposalBytes: q.Proposal, Signature: q.Signature})
	if err != nil {
		return answer{ParseError: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	if err := up.Validate(o.msps); err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // as above
	}
	return answer{Payload: up.ProposalHash}, nil
}

// creator stands for the one who has proposed. What it signs doesn't matter.
type creator []byte

func (c creator) Serialize() ([]byte, error)    { return c, nil }
func (c creator) Sign(m []byte) ([]byte, error) { return m[:1], nil }

func transaction(marshalled []byte, responses [][]byte) (a answer, err error) {
	proposal, err := protoutil.UnmarshalProposal(marshalled)
	if err != nil {
		return a, err
	}
	header, err := protoutil.UnmarshalHeader(proposal.Header)
	if err != nil {
		return a, err
	}
	signature, err := protoutil.UnmarshalSignatureHeader(header.SignatureHeader)
	if err != nil {
		return a, err
	}
	var all []*peer.ProposalResponse
	for _, r := range responses {
		response, err := protoutil.UnmarshalProposalResponse(r)
		if err != nil {
			return a, err
		}
		all = append(all, response)
	}
	envelope, err := protoutil.CreateSignedTx(proposal, creator(signature.Creator), all...)
	if err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	return answer{Payload: envelope.Payload}, nil
}

func (o *oracle) evaluateSigned(q question) (a answer, err error) {
	policy, _, err := cauthdsl.NewPolicyProvider(o.msps).NewPolicy(q.Envelope)
	if err != nil {
		return answer{ParseError: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	var all []*protoutil.SignedData
	for _, s := range q.Signed {
		all = append(all, &protoutil.SignedData{Identity: s.Identity, Data: s.Data, Signature: s.Signature})
	}
	if err := policy.EvaluateSignedData(all); err != nil {
		a.Error = err.Error()
	}
	return a, nil
}

func (o *oracle) evaluate(q question) (a answer, err error) {
	envelope, err := policydsl.FromString(*q.Policy)
	if err != nil {
		return answer{ParseError: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	if a.Envelope, err = protoutil.Marshal(envelope); err != nil {
		return a, err
	}
	policy, _, err := cauthdsl.NewPolicyProvider(o.msps).NewPolicy(a.Envelope)
	if err != nil {
		return a, err
	}
	var identities []msp.Identity
	for _, creator := range q.Signers {
		id, err := o.msps.DeserializeIdentity(creator)
		if err != nil {
			return a, err
		}
		if err := id.Validate(); err != nil {
			return a, err
		}
		identities = append(identities, id)
	}
	if err := policy.EvaluateIdentities(identities); err != nil {
		a.Error = err.Error()
	}
	return a, nil
}

// know makes an MSP of each organization, with the node OUs that Fabric's tools write.
func (o *oracle) know(organizations []organization) error {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	if err != nil {
		return err
	}
	var all []msp.MSP
	for _, org := range organizations {
		unit := func(name string) *mspproto.FabricOUIdentifier {
			return &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
		}
		config := protoutil.MarshalOrPanic(&mspproto.FabricMSPConfig{
			Name: org.MSPID, RootCerts: [][]byte{org.Root}, IntermediateCerts: org.Intermediates, Admins: org.Admins, RevocationList: org.Lists,
			FabricNodeOus: &mspproto.FabricNodeOUs{
				Enable: !org.NoUnits, ClientOuIdentifier: unit("client"), PeerOuIdentifier: unit("peer"), AdminOuIdentifier: unit("admin"), OrdererOuIdentifier: unit("orderer"),
			},
			CryptoConfig: &mspproto.FabricCryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"},
		})
		m, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_4_3}}, csp)
		if err != nil {
			return err
		}
		if err := m.Setup(&mspproto.MSPConfig{Type: int32(msp.FABRIC), Config: config}); err != nil {
			return err
		}
		all = append(all, m)
	}
	o.msps = msp.NewMSPManager()
	return o.msps.Setup(all)
}
