package inproc_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

type greeter struct{}

func (greeter) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }
func (greeter) Invoke(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte("hello"))
}

func Example() {
	runtime := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, greeter{})
	})
	// A peer passes its handler here. This one looks at the chaincode's first message and ends the stream.
	err := runtime.Run(context.Background(), "greeter:1", func(_ context.Context, s pb.Stream) error {
		m, err := s.Recv()
		fmt.Println(m.GetType(), err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// REGISTER <nil>
	// <nil>
}
