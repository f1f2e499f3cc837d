package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestFaultsOfRegistration(t *testing.T) {
	const prefix = "error in handling register chaincode, "
	for _, test := range []struct {
		row, what string
		id        string // the one that is expected
		msg       *pb.ChaincodeMessage
		code      codes.Code
		text      string
	}{
		{"F12", "malformed", "", &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: []byte{0xff}},
			codes.InvalidArgument, prefix + "unmarshal failed: proto: cannot parse invalid wire-format data"},
		{"F13", "empty name", "", registration(""), codes.InvalidArgument, prefix + "chaincodeID name is empty"},
		{"F14", "NUL", "", registration("a\x00b"), codes.InvalidArgument, prefix + badName(`"a\x00b"`)},
		{"F14", "newline", "", registration("a\n"), codes.InvalidArgument, prefix + badName(`"a\n"`)},
		{"F14", "path", "", registration("../a"), codes.InvalidArgument, prefix + badName(`"../a"`)},
		{"F14", "dots", "", registration(".."), codes.InvalidArgument, prefix + badName(`".."`)},
		{"F14", "huge", "", registration(strings.Repeat("a", 257)), codes.InvalidArgument,
			prefix + `chaincodeID name "` + strings.Repeat("a", 128) + `"... has 257 bytes, the limit is 256`},
		{"F15", "another name", "cc:1", registration("cc:2"), codes.PermissionDenied,
			prefix + `chaincodeID name "cc:2" is not the one of this stream, "cc:1"`},
		{"F11", "none", "", nil, codes.DeadlineExceeded, "chaincode did not send REGISTER within 10s, ending chaincode support stream"},
	} {
		t.Run(test.row+" "+test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.cfg.ChaincodeID = test.id
				c := p.connect()
				if test.msg != nil {
					c.Deliver(test.msg)
				}
				c.wantEnd(test.code, test.text)
				c.wantSilence()
				c.wait()
			})
		})
	}
}

func badName(name string) string {
	return "chaincodeID name " + name + " is not valid: want letters, digits and + _ . : -, and a letter or digit at both ends"
}

// F10: before REGISTER nothing else is accepted.
func TestFaultF10(t *testing.T) {
	for n := range pb.ChaincodeMessage_Type_name {
		m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_Type(n), Txid: "tx1"}
		if m.Type == pb.ChaincodeMessage_REGISTER {
			continue
		}
		t.Run(m.Type.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newPeer(t).connect()
				c.Deliver(m)
				c.wantEnd(codes.FailedPrecondition, refused(m, "created"))
				c.wantSilence()
				c.wait()
			})
		})
	}
}

// F17: the first one is untouched.
func TestFaultF17(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		first := p.register("cc:1")
		x := first.begin("tx1")
		second := p.connect()
		second.Deliver(registration("cc:1"))
		second.wantEnd(codes.AlreadyExists, "duplicate chaincodeID: cc:1")
		second.wait()
		select {
		case <-second.gone:
			t.Error("the newcomer was deregistered though it never was registered")
		default:
		}
		first.finish(t, "tx1", x)
		first.stop()
		<-first.gone
	})
}

// F82: a panic in a callback is confined, and its value not sent to the chaincode. Callbacks that serve a request
// spoil its transaction, the others the stream.
func TestFaultF82(t *testing.T) {
	panics := func() { panic("secret") }
	for _, test := range []struct {
		name   string
		config func(*peer, *chaincode)
		code   codes.Code
	}{
		{"Registry.Register", func(p *peer, c *chaincode) { p.cfg.Registry = panicking{c, "Register"} }, codes.Internal},
		{"Registry.Ready", func(p *peer, c *chaincode) { p.cfg.Registry = panicking{c, "Ready"} }, codes.Internal},
		{"Registry.Deregister", func(p *peer, c *chaincode) { p.cfg.Registry = panicking{c, "Deregister"} }, codes.Unknown},
		{"MessageObserver", func(p *peer, _ *chaincode) {
			p.cfg.Messages = handler.MessageObserverFunc(func(string, handler.Direction, *pb.ChaincodeMessage) { panics() })
		}, codes.Internal},
		{"Stream.Send", func(_ *peer, c *chaincode) { c.OnSend(func(*pb.ChaincodeMessage) error { panic("secret") }) }, codes.Internal},
		{"Stream.Recv", func(_ *peer, c *chaincode) { c.Do(func() (*pb.ChaincodeMessage, error) { panic("secret") }) }, codes.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				p := newPeer(t)
				p.cfg.Logger = zap.New(core)
				c := p.prepare()
				test.config(p, c)
				c.start()
				c.Deliver(registration("cc:1"))
				synctest.Wait()
				c.CloseSend()
				err := (<-c.ended).err
				if status.Code(err) != test.code || strings.Contains(fmt.Sprint(err), "secret") {
					t.Errorf("the stream ended with %v, want %s", err, test.code)
				}
				c.wait()
				if n := logs.FilterField(zap.Any("panic", "secret")).Len(); n == 0 || n != p.count(handler.FaultPanic) {
					t.Errorf("%d panics are logged, and %d reported", n, p.count(handler.FaultPanic))
				}
			})
		})
	}
}

// panicking is a registry that panics in one of its methods.
type panicking struct {
	*chaincode
	in string
}

func (r panicking) Register(h *handler.Handler) error {
	r.panic("Register")
	return r.chaincode.Register(h)
}
func (r panicking) Ready(h *handler.Handler)      { r.panic("Ready"); r.chaincode.Ready(h) }
func (r panicking) Deregister(h *handler.Handler) { r.panic("Deregister"); r.chaincode.Deregister(h) }

func (r panicking) panic(method string) {
	if r.in == method {
		panic("secret")
	}
}

// F82, of what serves INVOKE_CHAINCODE.
func TestFaultF82OfCalls(t *testing.T) {
	for name, config := range map[string]func(*handler.Config){
		"Invoker": func(c *handler.Config) { c.Invoker = panickingInvoker{} },
		"Ledgers": func(c *handler.Config) {
			c.Ledgers = handler.LedgersFunc(func(context.Context, string) (ledger.Ledger, error) { panic("secret") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				config(&p.cfg)
				c := p.register("cc:1")
				x := c.begin("tx1")
				m := invoke("b/other")
				c.Deliver(in("tx1", m))
				c.wantError("tx1", failed(m, "tx1", "panic during execution"))
				c.complete("tx1")
				x.want(t, handler.ErrPoisoned)
				c.finish(t, "tx2", c.begin("tx2"))
				c.stop()
				p.check()
			})
		})
	}
}

type panickingInvoker struct{}

func (panickingInvoker) Invoke(context.Context, handler.TxParams, string, *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	panic("secret")
}
