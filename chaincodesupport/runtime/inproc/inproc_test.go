package inproc_test

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// untilEnd receives until the stream ends, as chaincode and handlers do, and returns the stream's error.
func untilEnd(s pb.Stream) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

func serveUntilEnd(_ context.Context, s pb.Stream) error { return untilEnd(s) }

func talkUntilEnd(_ context.Context, _ string, s pb.ClientStream) error { return untilEnd(s) }

// A goroutine that exits without returning, as t.FailNow makes it, ends the chaincode too.
func TestGoexit(t *testing.T) {
	exit := inproc.Runtime(func(context.Context, string, pb.ClientStream) error { goruntime.Goexit(); return nil })
	err := exit.Run(t.Context(), "asset", serveUntilEnd)
	if want := `chaincode "asset" ended: its goroutine exited`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestContextStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var handled error
		done := make(chan error, 1)
		go func() {
			done <- inproc.Runtime(talkUntilEnd).Run(ctx, "asset", func(_ context.Context, s pb.Stream) error {
				handled = untilEnd(s)
				return handled
			})
		}()
		synctest.Wait()
		if len(done) != 0 {
			t.Fatalf("ended by itself: %v", <-done)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if !errors.Is(handled, context.Canceled) {
			t.Errorf("the handler's stream ended with %v", handled)
		}
	})
}

// A chaincode that ends in good order is EOF to its handler, after what it sent before.
func TestHandlerSeesTheEnd(t *testing.T) {
	r := inproc.Runtime(func(_ context.Context, _ string, s pb.ClientStream) error {
		return s.Send(&pb.ChaincodeMessage{Txid: "last words"})
	})
	_ = r.Run(t.Context(), "asset", func(_ context.Context, s pb.Stream) error {
		if m, err := s.Recv(); err != nil || m.GetTxid() != "last words" {
			t.Errorf("got %v, %v", m, err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the last message: %v", err)
		}
		return nil
	})
}

// What a panic carried is for logs: the text of the error may reach who calls the chaincode.
func TestPanicErrorKeepsItsValue(t *testing.T) {
	err := inproc.Runtime(func(context.Context, string, pb.ClientStream) error { panic("secret") }).Run(t.Context(), "asset", serveUntilEnd)
	if text := fmt.Sprintf("%s %v", err, err); strings.Contains(text, "secret") {
		t.Errorf("%s tells the value", text)
	}
	if text := fmt.Sprintf("%+v", err); !strings.Contains(text, "secret") || !strings.Contains(text, "inproc_test.go") {
		t.Errorf("%s does not tell the value and the stack", text)
	}
}
