package chaincodesupport_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	dialruntime "github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// executeTexts are those that the caller of Execute sees: of Fabric's peer (core/chaincode), to the letter, behind
// "failed to execute transaction <txid>: " where Execute got as far as the chaincode. One that ends in "…" is a prefix.
var executeTexts = []struct {
	text    string
	runtime func(t *testing.T) runtime.Runtime
}{
	{"failed to execute transaction t: error sending: timeout expired while executing transaction", func(t *testing.T) runtime.Runtime { return scripted(t, silent) }},
	{"failed to execute transaction t: error sending: chaincode stream terminated", hangsUp},
	{"failed to execute transaction t: error sending: [t] error sending TRANSACTION: broken pipe", unreachable},
	{"transaction returned with failure: boom", func(t *testing.T) runtime.Runtime {
		return scripted(t, func(*msg) *msg { return &msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("boom")} })
	}},
	{"failed to unmarshal response for transaction t: …", func(t *testing.T) runtime.Runtime {
		return scripted(t, func(*msg) *msg { return &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: []byte("\xff")} })
	}},
	{"failed to execute transaction t: timeout expired while starting chaincode asset:1 for transaction", func(*testing.T) runtime.Runtime { return untilStopped }},
	{"failed to execute transaction t: chaincode registration failed: container exited with 3", func(*testing.T) runtime.Runtime {
		return failing(errors.New("container exited with 3"))
	}},
	{"failed to execute transaction t: chaincode registration failed: connection to asset:1 failed: refused", func(*testing.T) runtime.Runtime {
		return failing(&dialruntime.ConnectionError{ChaincodeID: "asset:1", Cause: errors.New("refused")})
	}},
	{"failed to execute transaction t: error starting container: no such file", func(*testing.T) runtime.Runtime {
		return failing(&runtime.StartError{Cause: errors.New("no such file")})
	}},
	{"failed to execute transaction t: chaincode registration failed: error in handling register chaincode, chaincodeID name is empty", func(*testing.T) runtime.Runtime {
		return inproc.Runtime(func(_ context.Context, _ string, s pb.ClientStream) error {
			if err := s.Send(registration("")); err != nil {
				return err
			}
			_, err := s.Recv()
			return err
		})
	}},
}

func TestExecuteTexts(t *testing.T) {
	for _, test := range executeTexts {
		t.Run(test.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(test.runtime(t)), StartupTimeout: time.Minute})
				_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
				wantText(t, err, test.text)
			})
		})
	}
}

// hangsUp is a chaincode that ends when it is called.
func hangsUp(*testing.T) runtime.Runtime {
	return inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
		if err := s.Send(registration(id)); err != nil {
			return err
		}
		for {
			if m, err := s.Recv(); err != nil || m.Type == pb.ChaincodeMessage_TRANSACTION {
				return err
			}
		}
	})
}

// unreachable is a chaincode that no transaction can be sent to.
func unreachable(*testing.T) runtime.Runtime {
	return runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
		p, c := pipe.New()
		if err := c.Send(registration(id)); err != nil {
			return err
		}
		defer p.End(nil)
		return handle(ctx, brokenPipe{p})
	})
}

type brokenPipe struct{ *pipe.Peer }

func (s brokenPipe) Send(m *pb.ChaincodeMessage) error {
	if m.Type == pb.ChaincodeMessage_TRANSACTION {
		return errors.New("broken pipe")
	}
	return nil
}

// A stream that ends between its launch and the use of it: too short a time for a test to hit.
func TestVanishedText(t *testing.T) {
	err := chaincodesupport.Vanished("asset:1")
	wantError(t, err, "claimed to start chaincode container for asset:1 but could not find handler")
	if !errors.Is(err, handler.ErrStreamTerminated) {
		t.Error("it is no ErrStreamTerminated")
	}
}

// The same transaction twice at once.
func TestExistsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(scripted(t, silent))})
		first := make(chan error, 1)
		go func() {
			_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
			first <- err
		}()
		synctest.Wait()
		_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
		wantError(t, err, "failed to execute transaction t: error sending: txid: t(ch) exists")
		if err := <-first; !errors.Is(err, handler.ErrTimeout) {
			t.Errorf("the first one: %v", err)
		}
	})
}

// What a chaincode is told whose registration is refused.
func TestRegistrationTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			chaincodeID, text string
			dev               bool
		}{
			{"asset:1", "duplicate chaincodeID: asset:1", true},
			{"asset:1", "peer will not accept external chaincode connection asset:1 (except in dev mode)", false},
			{"", "error in handling register chaincode, chaincodeID name is empty", true},
		} {
			cs := newSupport(t, chaincodesupport.Config{DevMode: test.dev})
			if test.dev {
				connect(t, cs).ready()
			}
			if err := <-connect(t, cs).register(test.chaincodeID).ended; status.Convert(err).Message() != test.text {
				t.Errorf("refused with %v, want %q", err, test.text)
			}
		}
	})
}
