package pb

// MaxMessageSize is the size in bytes that Fabric's peers and shims allow a message to have, each way.
const MaxMessageSize = 100 * 1024 * 1024

// Stream is one end of a chaincode's stream, of either side.
//
// As with gRPC, one goroutine may call Send while another calls Recv, but two must not call the same method at
// once. Recv returns io.EOF when the other side has closed the stream in good order. A message given to Send must not
// be modified afterwards, since what traces a gRPC stream may look at it later; one that Recv returned belongs to the
// caller.
type Stream interface {
	Send(*ChaincodeMessage) error
	Recv() (*ChaincodeMessage, error)
}

// ClientStream is the end of a Stream that was dialled: it can also say that nothing more will be sent.
type ClientStream interface {
	Stream
	CloseSend() error
}
