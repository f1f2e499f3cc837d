// Package system has the chaincodes that belong to a peer: qscc, which answers from a channel's ledger, and cscc, which answers
// from its configuration (Fabric: core/scc).
//
//	s, err := system.New(system.Config{Channel: channel, ChannelIDs: ids, ACL: checker})
//	definition, ok := s.Definition("qscc") // for chaincodesupport.Definitions
//	rt := s.Runtime(definition.ChaincodeID) // for chaincodesupport.Runtimes
//
// Give [Names] to the endorser and to chaincodesupport as Builtins. Then they run on every channel, also without one, and check by
// themselves who may call them. Arguments, the order of checks, and texts are Fabric's. What fails has status 500.
//
// # Why they are chaincode
//
// They run in the peer's process over a stream in memory, on this library's shim. That is Fabric's road, too. An endorser that
// called them directly would save two hops, but it would be a second way in: calls from other chaincode, which must get Fabric's
// refusal, deadlines, limits and interceptors would have to be made again there.
package system

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// ErrNotFound is returned by a Ledger for what isn't there. Clients get Fabric's text in its place.
var ErrNotFound = errors.New("not found")

// Ledger is what qscc reads. Its errors reach clients. It is safe for concurrent use. What it returns is not modified.
type Ledger interface {
	// Info returns how far the ledger has come.
	Info(ctx context.Context) (*pb.BlockchainInfo, error)
	// Block returns a block with its metadata, or ErrNotFound.
	Block(ctx context.Context, number uint64) (*pb.Block, error)
	// BlockByHash returns the block whose header has a hash, or ErrNotFound.
	BlockByHash(ctx context.Context, hash []byte) (*pb.Block, error)
	// BlockByTxID returns the block that a transaction is in, or ErrNotFound.
	BlockByTxID(ctx context.Context, txID string) (*pb.Block, error)
	// Transaction returns a transaction, valid or not, or ErrNotFound.
	Transaction(ctx context.Context, txID string) (*pb.ProcessedTransaction, error)
}

// Configuration is what cscc reads.
type Configuration interface {
	// ConfigBlock returns the block that has the channel's newest configuration.
	ConfigBlock(ctx context.Context) (*pb.Block, error)
}

// Channel is a channel of the peer.
type Channel struct {
	// Ledger is the peer's ledger of the channel. Required.
	Ledger Ledger
	// Configuration knows the channel's configuration. Nil: whoever asks for it is told that it isn't there.
	Configuration Configuration
}

// Config says what the chaincodes stand on.
type Config struct {
	// Channel returns a channel of the peer, or nil if the peer isn't on it. Required.
	Channel func(channelID string) *Channel
	// ChannelIDs returns the IDs of all its channels, in the order in which clients shall get them. Required.
	ChannelIDs func() []string
	// ACL decides who may call which function: the resources are qscc/GetChainInfo and the like. Required.
	ACL acl.Checker
	// Join takes the peer to a channel whose first block a client has sent. The block's form has been checked, and the client has
	// been, too. Nil: the peer joins no channels in this way.
	Join func(ctx context.Context, channelID string, genesis *pb.Block) error
}

// The names of the chaincodes.
const (
	QSCC = "qscc"
	CSCC = "cscc"
)

// version is that of all chaincodes that belong to a peer, and the end of their chaincode IDs (Fabric: core/scc).
const version = "syscc"

// Names returns the names of the chaincodes, in a new slice.
func Names() []string { return []string{CSCC, QSCC} }

// IsReserved reports whether a name is that of a chaincode that belongs to peers, here or in Fabric. No other chaincode can have it
// (Fabric: core/chaincode/lifecycle, systemChaincodeNames).
func IsReserved(name string) bool {
	return slices.Contains([]string{CSCC, "escc", "lscc", QSCC, "vscc", "_lifecycle"}, name)
}

// System has the chaincodes of one peer. It is safe for concurrent use.
type System struct {
	cfg Config
}

// New returns the chaincodes of a peer. There is nothing to close.
func New(cfg Config) (*System, error) {
	for name, missing := range map[string]bool{"Channel": cfg.Channel == nil, "ChannelIDs": cfg.ChannelIDs == nil, "ACL": cfg.ACL == nil} {
		if missing {
			return nil, errors.Errorf("make system chaincodes: Config.%s is missing", name)
		}
	}
	return &System{cfg: cfg}, nil
}

// Definition returns the definition of the chaincode that has a name, if it is one of these.
func (s *System) Definition(name string) (d chaincodesupport.Definition, ok bool) {
	if !slices.Contains(Names(), name) {
		return chaincodesupport.Definition{}, false
	}
	return chaincodesupport.Definition{ChaincodeID: name + "." + version, Version: version}, true
}

// Runtime returns what runs a chaincode, or nil if it is none of these.
func (s *System) Runtime(chaincodeID string) runtime.Runtime {
	functions := map[string]func(*call) *pb.Response{QSCC + "." + version: qscc, CSCC + "." + version: cscc}[chaincodeID]
	if functions == nil {
		return nil
	}
	return inproc.Runtime(func(ctx context.Context, chaincodeID string, stream pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, stream, &chaincode{ctx: ctx, cfg: &s.cfg, invoke: functions})
	})
}

// chaincode is one run of a chaincode.
type chaincode struct {
	ctx    context.Context // ends with the run
	cfg    *Config
	invoke func(*call) *pb.Response
}

// Init implements shim.Chaincode. Nobody calls it.
func (*chaincode) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

// Invoke implements shim.Chaincode.
func (c *chaincode) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	signed, err := stub.GetSignedProposal()
	return c.invoke(&call{ctx: c.ctx, cfg: c.cfg, args: stub.GetArgs(), signed: signed, err: err})
}

// call is one call of a chaincode.
type call struct {
	ctx    context.Context
	cfg    *Config
	args   [][]byte
	signed *pb.SignedProposal
	err    error // why there is no signed proposal
}

// function is the name of the function that is called.
func (c *call) function() string { return string(c.args[0]) }

// invoked returns the name of the chaincode that the client has called, which may have called this one (Fabric: protoutil,
// InvokedChaincodeName).
func (c *call) invoked() (string, error) {
	var (
		proposal pb.Proposal
		payload  pb.ChaincodeProposalPayload
		spec     pb.ChaincodeInvocationSpec
	)
	if err := proto.Unmarshal(c.signed.GetProposalBytes(), &proposal); err != nil {
		return "", errors.WithMessage(err, "could not unmarshal proposal")
	}
	if err := proto.Unmarshal(proposal.GetPayload(), &payload); err != nil {
		return "", errors.WithMessage(err, "could not unmarshal chaincode proposal payload")
	}
	if err := proto.Unmarshal(payload.GetInput(), &spec); err != nil {
		return "", errors.WithMessage(err, "could not unmarshal chaincode invocation spec")
	}
	if spec.GetChaincodeSpec() == nil {
		return "", errors.New("chaincode spec is nil")
	}
	if spec.GetChaincodeSpec().GetChaincodeId() == nil {
		return "", errors.New("chaincode id is nil")
	}
	return spec.GetChaincodeSpec().GetChaincodeId().GetName(), nil
}

// check asks whether the client may use a resource of a channel. Without a channel it is one of the peer.
func (c *call) check(resource, channelID string) error {
	var (
		proposal  pb.Proposal
		header    pb.Header
		signature pb.SignatureHeader
	)
	if err := proto.Unmarshal(c.signed.GetProposalBytes(), &proposal); err != nil {
		return err
	}
	if err := proto.Unmarshal(proposal.GetHeader(), &header); err != nil {
		return err
	}
	if err := proto.Unmarshal(header.GetSignatureHeader(), &signature); err != nil {
		return err
	}
	return c.cfg.ACL.Check(c.ctx, acl.Request{
		Resource: resource, ChannelID: channelID, Data: c.signed.GetProposalBytes(), Identity: signature.GetCreator(), Signature: c.signed.GetSignature(),
	})
}

// answer is a message, or an error's text.
func answer(m proto.Message, err error) *pb.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(b)
}
