// Package endorser runs the transactions that clients propose, and signs what came of them, as Fabric's peers do
// (core/endorser).
//
//	e, err := endorser.New(endorser.Config{Signer: peer, Chaincode: support, Definitions: definitions, Channel: channel})
//	response, err := e.ProcessProposal(ctx, signedProposal)
//
// A proposal passes Fabric's checks, in Fabric's order and with its texts. What it says is taken from it once, here. A response
// has the ChaincodeInterest, which tells a gateway who else must endorse, if the ledger is a ledger.InterestReporter.
package endorser

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config says whose endorser it is, and what it stands on.
type Config struct {
	// Signer is the peer, who signs. Required.
	Signer identity.Signer
	// Chaincode runs transactions. Required.
	Chaincode Chaincode
	// Definitions knows which chaincodes a channel has. It is asked before a chaincode runs. Required.
	Definitions chaincodesupport.Definitions
	// Channel returns a channel of the peer, or nil if the peer isn't on it. It must not block. Required.
	Channel func(channelID string) *Channel
	// Local knows who may make calls without a channel. Such calls are of chaincode that belongs to the peer. Nil: nobody.
	Local *identity.Verifier
	// Builtins are the names of the chaincodes that belong to the peer (handler.Hooks). They check by themselves who may call
	// them.
	Builtins []string
	// TimeWindow is how far a proposal's timestamp may be from the peer's clock. Zero: 15 minutes, as in Fabric.
	TimeWindow time.Duration
	// Logger gets the reasons of refusals that clients are not told. Nil: nothing is logged.
	Logger *zap.Logger
}

// Chaincode runs transactions. A *chaincodesupport.ChaincodeSupport does.
type Chaincode interface {
	Execute(ctx context.Context, name string, p handler.TxParams, in chaincodesupport.Input) (*chaincodesupport.Result, error)
}

var _ Chaincode = (*chaincodesupport.ChaincodeSupport)(nil)

// Channel is what an endorser must know of a channel. All fields but Writers and PrivateData are required.
type Channel struct {
	// Verifier knows the members of the channel's organizations.
	Verifier *identity.Verifier
	// Writers is the policy that a client must fulfil. Nil: every member may propose.
	Writers policies.Policy
	// Ledger makes simulators.
	Ledger ledger.Ledger
	// Committed reports whether a transaction's ID is used up.
	Committed func(ctx context.Context, txID string) (bool, error)
	// Results returns what was simulated: the public read/write set, and the private one, or nil. It is called once for a
	// simulator, before its Done. kvledger.ResultsOf knows.
	Results func(context.Context, ledger.Simulator) (public, private []byte, err error)
	// PrivateData keeps a transaction's private read/write set until it is committed. Nil: a transaction that writes private data
	// is refused. Clients are told its errors.
	PrivateData func(ctx context.Context, txID string, private []byte) error
}

// Endorser endorses proposals. It is safe for concurrent use.
type Endorser struct {
	cfg Config
}

// defaultTimeWindow is Fabric's (core.yaml, peer.authentication.timewindow).
const defaultTimeWindow = 15 * time.Minute

// New returns an Endorser. There is nothing to close.
func New(cfg Config) (*Endorser, error) {
	for name, missing := range map[string]bool{
		"Signer": cfg.Signer == nil, "Chaincode": cfg.Chaincode == nil, "Definitions": cfg.Definitions == nil, "Channel": cfg.Channel == nil,
	} {
		if missing {
			return nil, errors.Errorf("make endorser: Config.%s is missing", name)
		}
	}
	if cfg.TimeWindow < 0 {
		return nil, errors.Errorf("make endorser: Config.TimeWindow is %s, want a positive one, or 0 for %s", cfg.TimeWindow, defaultTimeWindow)
	}
	if cfg.TimeWindow == 0 {
		cfg.TimeWindow = defaultTimeWindow
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.Named("endorser")
	return &Endorser{cfg: cfg}, nil
}

// ProcessProposal runs the transaction that is proposed and returns what the client needs, as Fabric's service Endorser does.
//
// A proposal that is refused gives an error, and in most cases a response with status 500 and the same text. One whose headers
// can't be decoded, or whose time is wrong, gives no response: Fabric looks at these in filters. If something
// fails while the transaction runs, there is no error, and the response says what. A response without an endorsement is
// nothing that can be ordered: its status is 400 or more, or it has no channel.
func (e *Endorser) ProcessProposal(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	response, _, err := e.Endorse(ctx, signed)
	return response, err
}

// Evaluate is ProcessProposal for those who only want the chaincode's answer: there is no endorsement. It checks the same.
func (e *Endorser) Evaluate(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	response, _, err := e.process(ctx, &proposal{evaluated: true}, signed)
	return response, err
}

// Endorse is ProcessProposal for callers in the same process. If something fails while the transaction runs, cause is the error
// whose text the response has. It may know more than its text, such as what a chaincode printed before it ended.
func (e *Endorser) Endorse(ctx context.Context, signed *pb.SignedProposal) (response *pb.ProposalResponse, cause, err error) {
	return e.process(ctx, &proposal{}, signed)
}

func (e *Endorser) process(ctx context.Context, p *proposal, signed *pb.SignedProposal) (response *pb.ProposalResponse, cause, err error) {
	if err := p.open(signed); err != nil {
		return nil, nil, err
	}
	channel := &Channel{Verifier: e.cfg.Local}
	if id := p.channel.GetChannelId(); id != "" {
		channel = e.cfg.Channel(id)
	}
	if channel != nil && channel.Verifier != nil {
		p.who, p.stranger = channel.Verifier.Identify(p.signature.GetCreator())
	}
	if err := p.inTime(time.Now(), e.cfg.TimeWindow); err != nil {
		return nil, nil, err
	}
	if err := p.unpack(); err != nil {
		return failed(err), nil, err
	}
	if channel == nil {
		cause := errors.Errorf("channel '%s' not found", p.channel.GetChannelId())
		return failed(cause), cause, nil
	}
	if err := e.admit(ctx, p, channel); err != nil {
		return failed(err), nil, err
	}
	if response, err = e.run(ctx, p, channel); err != nil {
		return failed(err), err, nil
	}
	return response, nil, nil
}

// failed is a response that tells an error.
func failed(err error) *pb.ProposalResponse {
	return &pb.ProposalResponse{Response: &pb.Response{Status: 500, Message: err.Error()}}
}
