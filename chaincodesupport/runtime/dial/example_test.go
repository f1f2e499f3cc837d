package dial_test

import (
	"context"
	"fmt"
	"net"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func Example() {
	// A chaincode server, which would be a process of its own.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- shim.Serve(ctx, plaintext(listener, echo)) }()

	rt, err := dial.New(dial.Config{Address: listener.Addr().String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A peer passes its handler here. This one looks at the chaincode's first message and ends the stream.
	err = rt.Run(ctx, "asset:1", func(_ context.Context, s pb.Stream) error {
		m, err := s.Recv()
		fmt.Println(m.GetType(), err)
		return nil
	})
	fmt.Println(err)
	cancel()
	fmt.Println(<-served)
	// Output:
	// REGISTER <nil>
	// <nil>
	// <nil>
}

func ExampleParseConnection() {
	cfg, err := dial.ParseConnection([]byte(`{"address": "127.0.0.1:9999", "dial_timeout": "10s", "tls_required": false}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Address, cfg.DialTimeout)
	_, err = dial.New(cfg)
	fmt.Println(err)
	// Output:
	// 127.0.0.1:9999 10s
	// <nil>
}
