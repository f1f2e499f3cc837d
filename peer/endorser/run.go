package endorser

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Where a status stops being a success, and where the response has no payload any more (Fabric: shim.ERRORTHRESHOLD, ERROR).
const (
	notEndorsed = 400
	erroneous   = 500
)

// run runs a proposal that is admitted, and endorses what came of it.
func (e *Endorser) run(ctx context.Context, p *proposal, channel *Channel) (*pb.ProposalResponse, error) {
	params := handler.TxParams{ChannelID: p.channel.GetChannelId(), TxID: p.channel.GetTxId(), Namespace: p.chaincode, SignedProposal: p.signed}
	if channel.Ledger != nil && !unsimulated(p.chaincode) {
		sim, err := channel.Ledger.NewSimulator(ctx, params.TxID)
		if err != nil {
			return nil, errors.WithMessage(err, "open simulator")
		}
		params.Simulation = handler.NewSimulation(sim)
		defer params.Simulation.Done()
	}
	definition, err := e.cfg.Definitions.Definition(ctx, params)
	if err != nil {
		return nil, errors.WithMessagef(err, "make sure the chaincode %s has been successfully defined on channel %s and try again", p.chaincode, params.ChannelID)
	}
	s, err := e.simulate(ctx, p, params, channel)
	if err != nil {
		return nil, errors.WithMessage(err, "error in simulation")
	}
	result := s.result
	action := &pb.ChaincodeAction{
		Results:     s.rwset,
		Response:    &pb.Response{Status: result.Status, Message: result.Message, Payload: result.Payload},
		ChaincodeId: &pb.ChaincodeID{Name: p.chaincode, Version: e.version(p.chaincode, definition)},
	}
	if result.Event != nil && result.Status < notEndorsed {
		event := &pb.ChaincodeEvent{ChaincodeId: result.Event.Chaincode, TxId: result.Event.TxID, EventName: result.Event.Name, Payload: result.Event.Payload}
		if action.Events, err = proto.Marshal(event); err != nil {
			return nil, errors.Wrap(err, "failed to marshal chaincode event")
		}
	}
	return e.answer(p, action, s.interest)
}

// version is that of the definition. Chaincode that belongs to the peer has one of its own.
func (e *Endorser) version(name string, d chaincodesupport.Definition) string {
	if slices.Contains(e.cfg.Builtins, name) {
		return "syscc"
	}
	return d.Version
}

// simulated is what came of a transaction.
type simulated struct {
	result   *chaincodesupport.Result
	rwset    []byte                // public; nil without a ledger
	interest *pb.ChaincodeInterest // nil if nobody can say
}

// simulate runs the chaincode.
func (e *Endorser) simulate(ctx context.Context, p *proposal, params handler.TxParams, channel *Channel) (s simulated, err error) {
	in := chaincodesupport.Input{Args: p.input.GetArgs(), IsInit: p.input.GetIsInit()}
	s.result, err = e.cfg.Chaincode.Execute(ctx, p.chaincode, params, in)
	if err != nil || params.Simulation == nil {
		return s, err
	}
	var private []byte
	var interest *ledger.Interest
	if err := params.Simulation.Do(ctx, func(sim ledger.Simulator) error {
		var err error
		if r, ok := ledger.Unwrap(sim).(ledger.InterestReporter); ok {
			if interest, err = r.Interest(ctx); err != nil {
				return err
			}
		}
		s.rwset, private, err = channel.Results(ctx, sim)
		return err
	}); err != nil {
		return s, errors.WithMessage(err, "read results")
	}
	if private != nil && s.result.Status < 400 { // what can't be ordered leaves nothing that waits for its block
		if channel.PrivateData == nil {
			return s, errors.New("the transaction writes private data, which this peer can't keep")
		}
		if err := channel.PrivateData(ctx, params.TxID, private); err != nil {
			return s, err
		}
	}
	if interest != nil {
		s.interest, err = e.interest(interest)
	}
	return s, err
}

// unsimulated reports whether Fabric runs a chaincode without a simulator, also on a channel. Then there is no interest.
func unsimulated(chaincode string) bool { return chaincode == "qscc" || chaincode == "cscc" }

// answer is the response to what was done. Only what can be ordered is endorsed.
func (e *Endorser) answer(p *proposal, action *pb.ChaincodeAction, interest *pb.ChaincodeInterest) (*pb.ProposalResponse, error) {
	extension, err := proto.Marshal(action)
	if err != nil {
		return nil, errors.Wrap(err, "failed to create the proposal response")
	}
	payload, err := proto.Marshal(&pb.ProposalResponsePayload{ProposalHash: p.hash, Extension: extension})
	if err != nil {
		return nil, errors.Wrap(err, "failed to create the proposal response")
	}
	response := &pb.ProposalResponse{Response: action.GetResponse()}
	switch status := action.GetResponse().GetStatus(); {
	case status >= erroneous:
		response.Payload, response.Interest = payload, interest
		return response, nil
	case p.channel.GetChannelId() == "", status >= notEndorsed:
		return response, nil
	}
	response.Version, response.Payload, response.Interest = 1, payload, interest
	if p.evaluated {
		return response, nil
	}
	endorser := e.cfg.Signer.Creator()
	signature, err := e.cfg.Signer.Sign(slices.Concat(payload, endorser))
	if err != nil {
		return nil, errors.WithMessage(err, "endorsing with plugin failed")
	}
	response.Endorsement = &pb.Endorsement{Endorser: endorser, Signature: signature}
	return response, nil
}
