package harness

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/bench/child"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Sizes in bytes of the floor's two messages: those of a GET_STATE and of its RESPONSE, with the key, the value, the
// channel and the transaction ID that the transactions of the benchmark have.
const (
	upSize   = 93
	downSize = 181
)

// window is the size in bytes of HTTP/2's flow control windows, fixed as the peer and the shim fix theirs: a floor
// that spent CPU time on estimating them would flatter what is compared with it.
const window = 1 << 20

// echoServer is the peer's place in the floor: it answers each message with the same one, and that is all it does.
type echoServer struct{ answer *pb.ChaincodeMessage }

var _ pbgrpc.ChaincodeSupportServer = (*echoServer)(nil)

func (s *echoServer) Register(stream pbgrpc.ChaincodeSupport_RegisterServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(s.answer); err != nil {
			return err
		}
	}
}

// echo is echoRole: it takes a network and a folder, and its Address is a gRPC target.
func echo(args []string) (child.Service, error) {
	answer, err := message(pb.ChaincodeMessage_RESPONSE, []byte(value), downSize)
	if err != nil {
		return child.Service{}, err
	}
	listener, target, err := listen(args)
	if err != nil {
		return child.Service{}, err
	}
	server := grpc.NewServer(grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window))
	pbgrpc.RegisterChaincodeSupportServer(server, &echoServer{answer: answer})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop := func() error {
		server.Stop()
		return <-served
	}
	return child.Service{Address: target, Close: stop}, nil
}

// listen takes a role's arguments, "tcp" or "unix" and a folder for the socket, and returns the gRPC target too.
func listen(args []string) (listener net.Listener, target string, err error) {
	if len(args) != 2 {
		return nil, "", errors.Errorf("want a network and a folder, got %q", args)
	}
	network, address, scheme := args[0], "127.0.0.1:0", "passthrough:"
	if network == "unix" {
		address, scheme = filepath.Join(args[1], "peer.sock"), "unix:"
	}
	listener, err = net.Listen(network, address)
	if err != nil {
		return nil, "", errors.Wrapf(err, "listen on %s", network)
	}
	return listener, scheme + listener.Addr().String(), nil
}

// echoStream is the chaincode's place in the floor.
type echoStream struct {
	recorder *recorder
	stream   pb.ClientStream
	question *pb.ChaincodeMessage
	sent     []time.Time
}

// echoCaller is echoCallerRole: it takes the gRPC target of an echo server. Callers of a load are messages that it
// keeps on their way, all on one stream.
func echoCaller(args []string) (child.Service, error) {
	if len(args) != 1 {
		return child.Service{}, errors.Errorf("want a gRPC target, got %q", args)
	}
	payload, err := proto.Marshal(&pb.GetState{Key: key(0)})
	if err != nil {
		return child.Service{}, errors.Wrap(err, "marshal GET_STATE")
	}
	question, err := message(pb.ChaincodeMessage_GET_STATE, payload, upSize)
	if err != nil {
		return child.Service{}, err
	}
	conn, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window))
	if err != nil {
		return child.Service{}, errors.Wrapf(err, "dial %s", args[0])
	}
	stream, err := pbgrpc.DialChaincodeSupport(context.Background(), conn)
	if err != nil {
		_ = conn.Close() // that there is no stream says more
		return child.Service{}, errors.Wrapf(err, "open stream to %s", args[0])
	}
	e := &echoStream{recorder: newRecorder(), stream: stream, question: question}
	return child.Service{Run: e.run, Close: conn.Close}, nil
}

func (e *echoStream) run(l child.Load) (func() child.Sample, error) {
	if cap(e.sent) < l.Callers {
		e.sent = make([]time.Time, l.Callers)
	}
	e.sent = e.sent[:l.Callers]
	e.recorder.begin()
	for i := range e.sent {
		if err := e.send(i, e.recorder.began); err != nil {
			return nil, err
		}
	}
	for i, left := 0, l.Callers; left > 0; i = (i + 1) % l.Callers { // a stream keeps the order
		if _, err := e.stream.Recv(); err != nil {
			return nil, errors.Wrap(err, "receive echo")
		}
		now := time.Now()
		e.recorder.add(now.Sub(e.sent[i]))
		if now.Sub(e.recorder.began) >= l.Window {
			left--
		} else if err := e.send(i, now); err != nil {
			return nil, err
		}
	}
	e.recorder.end()
	return e.recorder.sample, nil
}

func (e *echoStream) send(i int, now time.Time) error {
	e.sent[i] = now
	return errors.Wrap(e.stream.Send(e.question), "send")
}

// message returns a message as one transaction sends it, and makes sure that it has the size the floor is defined by.
func message(typ pb.ChaincodeMessage_Type, payload []byte, size int) (*pb.ChaincodeMessage, error) {
	m := &pb.ChaincodeMessage{Type: typ, Payload: payload, ChannelId: channelID, Txid: strings.Repeat("f", txIDLength)}
	if got := proto.Size(m); got != size {
		return nil, errors.Errorf("%s has %d bytes, the floor is defined with %d", typ, got, size)
	}
	return m, nil
}
