package peer

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Call is what a client asks of a chaincode. It is only read.
type Call struct {
	// Channel is the channel's ID. Empty: the network's first channel.
	Channel string
	// Chaincode is the chaincode's name. Required.
	Chaincode string
	// Args are the arguments. By convention the first one is the function's name.
	Args [][]byte
	// Transient is data that the chaincode gets beside its arguments, by name. No block has it.
	Transient map[string][]byte
	// Init says that the call initializes the chaincode.
	Init bool
	// Endorsers are the peers that are asked, by their names or by the IDs of their MSPs. An MSP's ID stands for its first peer on
	// the channel. Empty: a peer of the client's organization, and then as many others as the policies need. Evaluate asks the
	// first one only.
	Endorsers []string
	// Nonce makes the transaction's ID unique. The same call with the same nonce has the same ID. Nil: 24 random bytes.
	Nonce []byte
	// Timestamp is the proposal's. Zero: now.
	Timestamp time.Time
}

// propose makes the client's proposal.
func (c Call) propose(who identity.Signer) (*identity.Proposal, error) {
	return identity.NewProposal(identity.ProposalParams{
		ChannelID: c.Channel, Chaincode: c.Chaincode, Args: c.Args, IsInit: c.Init, Transient: c.Transient, Signer: who, Nonce: c.Nonce, Timestamp: c.Timestamp,
	})
}

// Result is what a chaincode has answered.
type Result struct {
	// TxID is the transaction's ID.
	TxID string
	// Status is less than 400 for a success. Message and Payload are the chaincode's.
	Status  int32
	Message string
	Payload []byte
	// Event is the event that the chaincode has set, or nil.
	Event *chaincodesupport.Event
}

// answer is what an endorser has answered, taken apart.
type answer struct {
	candidate
	response *pb.ProposalResponse
	cause    error // of a response that says that the transaction didn't run to its end
	result   Result
	rwset    []byte
}

// read takes a response apart.
func (a *answer) read(txID string) error {
	r := a.response.GetResponse()
	a.result = Result{TxID: txID, Status: r.GetStatus(), Message: r.GetMessage(), Payload: r.GetPayload()}
	if a.response.GetPayload() == nil {
		if r.GetStatus() == 500 { // chaincode's own 500 comes with a payload
			return &ProposalError{Peer: a.peer.Name(), TxID: txID, Message: r.GetMessage(), Cause: a.cause}
		}
		return a.refusal()
	}
	var (
		payload pb.ProposalResponsePayload
		action  pb.ChaincodeAction
		event   pb.ChaincodeEvent
	)
	err := proto.Unmarshal(a.response.GetPayload(), &payload)
	if err == nil {
		err = proto.Unmarshal(payload.GetExtension(), &action)
	}
	if err == nil {
		err = proto.Unmarshal(action.GetEvents(), &event)
	}
	if err != nil {
		return &ProposalError{Peer: a.peer.Name(), TxID: txID, Message: "its response can't be decoded", Cause: err}
	}
	a.rwset = action.GetResults()
	if len(action.GetEvents()) > 0 {
		a.result.Event = &chaincodesupport.Event{
			Chaincode: event.GetChaincodeId(), TxID: event.GetTxId(), Name: event.GetEventName(), Payload: event.GetPayload(),
		}
	}
	return a.refusal()
}

// refusal is an error if the chaincode has refused.
func (a *answer) refusal() error {
	if a.result.Status < 400 && a.response.GetEndorsement() != nil {
		return nil
	}
	return &RefusedError{Result: a.result, Peer: a.peer.Name(), RWSet: a.rwset}
}
