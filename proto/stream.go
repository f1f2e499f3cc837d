package pb

// MaxMessageSize is how many bytes a message may have, each way. Fabric's peers and shims allow as many.
const MaxMessageSize = 100 * 1024 * 1024

// Stream is one end of a chaincode's stream, on either side.
//
// As with gRPC, one goroutine may call Send while another calls Recv, but two must not call the same method at once. Recv
// returns io.EOF when the other side has closed the stream in good order. A message that you give to Send must not be
// modified afterwards, because tools that trace gRPC streams may look at it later. A message that Recv returns belongs to
// the caller.
type Stream interface {
	Send(*ChaincodeMessage) error
	Recv() (*ChaincodeMessage, error)
}

// ClientStream is the end of a Stream that has dialled. It can also say that nothing more will be sent.
type ClientStream interface {
	Stream
	CloseSend() error
}
