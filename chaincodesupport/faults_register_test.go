//go:build unix

package chaincodesupport_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// soon is a timeout that tests wait for.
const soon = 100 * time.Millisecond

// F11: a stream on which nothing is said.
func TestFaultNoRegister(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: soon}, DevMode: true})
	began := time.Now()
	_, err := dial(t, serve(t, cs)).Recv()
	wantStatus(t, err, codes.DeadlineExceeded, "chaincode did not send REGISTER within 100ms, ending chaincode support stream")
	if d := time.Since(began); d < soon || d > soon+promptly {
		t.Errorf("ended after %s", d)
	}
}

// F11: connections that don't get as far as a stream.
func TestFaultConnectionWithoutStream(t *testing.T) {
	auth, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		tls  bool
		says string
	}{
		{"nothing", false, ""},
		{"half a greeting", false, "PRI * HTTP/2.0\r\n"},
		{"a greeting without settings", false, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"another protocol", false, "GET / HTTP/1.1\r\n\r\n"},
		{"TLS where there is none", false, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		{"no TLS", true, ""},
		{"half a ClientHello", true, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		{"plaintext where there is TLS", true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: soon}, DevMode: true}
			if test.tls {
				cfg.Credentials = auth.ServerCredentials()
			}
			conn, err := net.Dial("tcp", serve(t, newSupport(t, cfg)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, test.says); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := conn.SetReadDeadline(began.Add(patience)); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn) // until it is closed, or reset
			if d := time.Since(began); d > soon+promptly {
				t.Errorf("ended after %s", d)
			}
		})
	}
}

// hostileNames are chaincode IDs that nobody may have.
var hostileNames = []struct{ row, name, text string }{
	{"F13 empty", "", "chaincodeID name is empty"},
	{"F14 NUL", "asset\x00:1", `chaincodeID name "asset\x00:1" is not valid`},
	{"F14 newline", "asset:1\nERROR all is lost", `chaincodeID name "asset:1\nERROR all is lost" is not valid`},
	{"F14 folder", "../asset:1", `chaincodeID name "../asset:1" is not valid`},
	{"F14 parent", "..", `chaincodeID name ".." is not valid`},
	{"F14 path", "/etc/passwd", `chaincodeID name "/etc/passwd" is not valid`},
	{"F14 flag", "-asset", `chaincodeID name "-asset" is not valid`},
	{"F14 letters", "аsset:1", `chaincodeID name "аsset:1" is not valid`}, // the first one is Cyrillic
	{"F14 escape", "asset\x1b[2J", `chaincodeID name "asset\x1b[2J" is not valid`},
	{"F14 too long", strings.Repeat("a", 257), `chaincodeID name "` + strings.Repeat("a", 128) + `"... has 257 bytes, the limit is 256`},
	{"F14 huge", strings.Repeat("\n", 64<<10), `chaincodeID name "` + strings.Repeat(`\n`, 128) + `"... has 65536 bytes, the limit is 256`},
}

// F13, F14: what they send is quoted, and cut, wherever it is repeated.
func TestFaultHostileName(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, DevMode: true})
	address := serve(t, cs)
	for _, test := range hostileNames {
		t.Run(test.row, func(t *testing.T) {
			s := dial(t, address)
			if err := s.Send(registration(test.name)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Recv()
			wantStatus(t, err, codes.InvalidArgument, "error in handling register chaincode, "+test.text)
		})
	}
	for _, l := range logs.All() {
		for name, field := range l.ContextMap() {
			text, ok := field.(string)
			if ok && (len(text) > 1000 || strings.ContainsAny(text, "\x00\n\x1b") && !strings.HasSuffix(name, "stack")) {
				t.Errorf("the log has field %s of %d bytes: %.100q", name, len(text), text)
			}
		}
	}
	if list := cs.List(); len(list) != 0 {
		t.Errorf("List has %v", list)
	}
}

// F12: the stream ends; and so does the launch of the chaincode that the stream is known to be of, though its process lives on.
func TestFaultMalformedRegister(t *testing.T) {
	malformed := &msg{Type: pb.ChaincodeMessage_REGISTER, Payload: []byte("\xff")}
	for _, first := range []struct {
		name string
		msg  *msg
		code codes.Code
		text string
	}{
		{"malformed", malformed, codes.InvalidArgument, "error in handling register chaincode, unmarshal failed: "},
		{"another name", registration("other:1"), codes.PermissionDenied, `error in handling register chaincode, chaincodeID name "other:1" is not the one of this stream, "asset:1"`},
		{"no name", registration(""), codes.InvalidArgument, "error in handling register chaincode, chaincodeID name is empty"},
	} {
		t.Run(first.name, func(t *testing.T) {
			cs := newSupport(t, chaincodesupport.Config{Runtimes: always(untilStopped), Identify: identifyAs("asset:1", nil)})
			address := serve(t, cs)
			launched := launchAll(t, cs, 1) // a second one might come after its end, and begin anew
			eventually(t, "it is being launched", func() bool { return len(cs.List()) == 1 })
			s := dial(t, address)
			if err := s.Send(first.msg); err != nil {
				t.Fatal(err)
			}
			_, err := s.Recv()
			wantStatus(t, err, first.code, first.text)
			select {
			case err := <-launched:
				if err == nil || !strings.HasPrefix(err.Error(), "chaincode registration failed: "+first.text) {
					t.Errorf("Launch: %v", err)
				}
			case <-time.After(promptly):
				t.Fatal("the launch goes on")
			}
		})
	}
}

// F16: a second REGISTER, of the same name or another one, ends the stream in every state, and the transaction with it.
func TestFaultSecondRegister(t *testing.T) {
	for _, test := range []struct{ name, state string }{
		{"at once", ""},
		{"READY, idle", "ready"},
		{"transaction running", "ready"},
		{"request pending", "ready"},
	} {
		for _, id := range []string{"asset:1", "other:1"} {
			t.Run(test.name+"/"+id, func(t *testing.T) {
				n := newNetwork(t, chaincodesupport.Config{DevMode: true}, nil)
				s := dial(t, serve(t, n.ChaincodeSupport))
				x := reachState(t, n, s, test.name)
				if err := s.Send(registration(id)); err != nil {
					t.Fatal(err)
				}
				err := untilError(s)
				wantStatus(t, err, codes.InvalidArgument, "Fabric side handler cannot handle message (REGISTER) while in "+test.state)
				if x != nil {
					x.wantTerminated(promptly)
				}
			})
		}
	}
}

// reachState plays asset:1 up to a point, and returns the transaction that is running there, or nil.
func reachState(t *testing.T, n *network, s pb.ClientStream, point string) *execution {
	t.Helper()
	send := func(m *msg) {
		if err := s.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(typ pb.ChaincodeMessage_Type) {
		if m, err := s.Recv(); err != nil || m.Type != typ {
			t.Fatalf("got %v, %v, want %s", m, err, typ)
		}
	}
	send(registration("asset:1"))
	if point == "at once" {
		return nil
	}
	expect(pb.ChaincodeMessage_REGISTERED)
	expect(pb.ChaincodeMessage_READY)
	if point == "READY, idle" {
		return nil
	}
	eventually(t, "it is ready", func() bool { return n.List()[0].State == chaincodesupport.Ready })
	x := n.start("asset:1", "t", "any")
	expect(pb.ChaincodeMessage_TRANSACTION)
	if point == "request pending" {
		asked, _ := n.holdGetState(t)
		send(&msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "t", ChannelId: "ch1", Payload: marshal(&pb.GetState{Key: "k"})})
		<-asked
	}
	return x
}

// F17: who registers under the name of one that is running is refused, and the one that is running doesn't notice: neither
// then, nor when the newcomer's connection is closed.
func TestFaultNameIsTaken(t *testing.T) {
	f := newFaultyNetwork(t, faultyConfig{})
	x := f.start("asset:1", "t", "hold", "held")
	pid := f.process("asset:1")
	f.hear("asset:1", "holds")
	for range 3 {
		conn, err := grpc.NewClient(f.proxy.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		s, err := pbgrpc.DialChaincodeSupport(t.Context(), conn)
		if err == nil {
			err = s.Send(registration("asset:1"))
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv()
		wantStatus(t, err, codes.AlreadyExists, "duplicate chaincodeID: asset:1")
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the newcomers' connections are closed", func() bool { return len(f.proxy.Conns()) == 1 })
	f.wantResult("asset:1", "meanwhile", 200, "pong", "ping")
	signalTo(t, pid, goOn)
	x.wantPayload("held")
}

// F57: a chaincode that says that it will send no more ends its stream, in good order.
func TestFaultHalfClose(t *testing.T) {
	n := newNetwork(t, chaincodesupport.Config{DevMode: true}, nil)
	s := dial(t, serve(t, n.ChaincodeSupport))
	x := reachState(t, n, s, "transaction running")
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := untilError(s); !errors.Is(err, io.EOF) {
		t.Errorf("stream ended with %v", err)
	}
	x.wantTerminated(promptly)
}

// F38: a message over the limit ends the stream; the log has its size and the limit.
func TestFaultMessageTooLarge(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	n := newNetwork(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, DevMode: true, MaxRecvMsgSize: 1 << 20}, nil)
	s := dial(t, serve(t, n.ChaincodeSupport))
	x := reachState(t, n, s, "transaction running")
	large := completed(&pb.Response{Status: shim.OK, Payload: make([]byte, 1<<20)})
	large.Txid, large.ChannelId = "t", "ch1"
	if err := s.Send(large); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("received message larger than max (%d vs. 1048576)", proto.Size(large))
	wantStatus(t, untilError(s), codes.ResourceExhausted, text)
	wantText(t, x.wantTerminated(promptly).err, "failed to execute transaction t: error sending: chaincode stream terminated: "+
		"receive from chaincode support stream failed: rpc error: code = ResourceExhausted desc = grpc: "+text+"…")
	ended := logs.FilterMessage("chaincode stream ended").All()
	if len(ended) != 1 || !strings.Contains(ended[0].ContextMap()["cause"].(string), text) {
		t.Errorf("the log has %v", ended)
	}
}
