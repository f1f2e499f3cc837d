package shim

import (
	"bytes"
	"sync/atomic"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// stub is one transaction as its chaincode sees it.
type stub struct {
	tx       *transaction
	input    pb.ChaincodeInput
	proposal proposal

	// Atomic: chaincode may misuse the stub from other goroutines.
	event atomic.Pointer[pb.ChaincodeEvent]
	batch atomic.Pointer[writeBatch] // nil while writes go one by one
}

var _ ChaincodeStubInterface = (*stub)(nil)

// newStub makes the stub for the INIT or TRANSACTION m. Its errors are the official shim's.
func newStub(tx *transaction, m *pb.ChaincodeMessage) (*stub, error) {
	s := &stub{tx: tx}
	if err := proto.Unmarshal(m.GetPayload(), &s.input); err != nil {
		return nil, errors.Wrap(err, "failed to unmarshal input")
	}
	var err error
	if s.proposal, err = parseProposal(m.GetProposal()); err != nil {
		return nil, errors.Wrap(err, "failed to create new ChaincodeStub")
	}
	return s, nil
}

func (s *stub) GetArgs() [][]byte { return s.input.GetArgs() }

func (s *stub) GetStringArgs() []string {
	args := make([]string, len(s.input.GetArgs()))
	for i, arg := range s.input.GetArgs() {
		args[i] = string(arg)
	}
	return args
}

func (s *stub) GetFunctionAndParameters() (string, []string) {
	args := s.GetStringArgs()
	if len(args) == 0 {
		return "", args
	}
	return args[0], args[1:]
}

func (s *stub) GetArgsSlice() ([]byte, error) { return bytes.Join(s.input.GetArgs(), nil), nil }

func (s *stub) GetTxID() string                                { return s.tx.key.txID }
func (s *stub) GetChannelID() string                           { return s.tx.key.channelID }
func (s *stub) GetCreator() ([]byte, error)                    { return s.proposal.creator, nil }
func (s *stub) GetTransient() (map[string][]byte, error)       { return s.proposal.transient, nil }
func (s *stub) GetBinding() ([]byte, error)                    { return s.proposal.binding(), nil }
func (s *stub) GetDecorations() map[string][]byte              { return s.input.GetDecorations() }
func (s *stub) GetSignedProposal() (*pb.SignedProposal, error) { return s.proposal.signed, nil }

func (s *stub) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	if s.proposal.signed == nil {
		return nil, errors.Errorf("transaction %q has no timestamp: the peer sent no proposal", s.tx.key.txID)
	}
	return s.proposal.timestamp, nil
}

func (s *stub) CreateCompositeKey(objectType string, attributes []string) (string, error) {
	return CreateCompositeKey(objectType, attributes)
}

func (s *stub) SplitCompositeKey(compositeKey string) (string, []string, error) {
	return splitCompositeKey(compositeKey)
}

func (s *stub) InvokeChaincode(chaincodeName string, args [][]byte, channel string) *Response {
	if channel != "" {
		chaincodeName += "/" + channel
	}
	res, err := s.call(&pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: chaincodeName}, Input: &pb.ChaincodeInput{Args: args}})
	if err != nil {
		return &Response{Status: ERROR, Payload: []byte(err.Error())}
	}
	return res
}

func (s *stub) SetEvent(name string, payload []byte) error {
	if name == "" {
		return errors.New("event name can not be empty string")
	}
	if !utf8.ValidString(name) {
		return errors.Errorf("event name is not valid UTF-8: %q", name)
	}
	if s.tx.finished.Load() {
		return ErrTransactionFinished
	}
	s.event.Store(&pb.ChaincodeEvent{EventName: name, Payload: bytes.Clone(payload)})
	return nil
}

// call makes the request that a chaincode-to-chaincode call is: its answer holds the callee's own last message.
func (s *stub) call(spec *pb.ChaincodeSpec) (*Response, error) {
	answer, err := s.tx.request(pb.ChaincodeMessage_INVOKE_CHAINCODE, spec)
	if err != nil {
		return nil, err
	}
	var last pb.ChaincodeMessage
	if err := proto.Unmarshal(answer, &last); err != nil {
		return nil, errors.Wrap(err, "unmarshal callee's message")
	}
	if last.GetType() != pb.ChaincodeMessage_COMPLETED {
		return nil, errors.New(string(last.GetPayload()))
	}
	res := new(Response)
	if err := proto.Unmarshal(last.GetPayload(), res); err != nil {
		return nil, errors.Wrap(err, "unmarshal callee's response")
	}
	return res, nil
}
