//go:build unix

package chaincodesupport_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/netfault"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F27, F49: of two chaincodes in one transaction, the callee is killed. The caller learns of it, and goes on.
func TestFaultCalleeIsKilled(t *testing.T) {
	f := newFaultyNetwork(t, faultyConfig{})
	x := f.start("caller", "t", "call", "callee", "hold")
	f.hear("callee", "holds")
	signalTo(t, f.process("callee"), syscall.SIGKILL)
	e := x.wait(promptly)
	const want = "INVOKE_CHAINCODE failed: transaction ID: t: execute failed: error sending: chaincode stream terminated: container exited with 137 (killed)"
	if e.err != nil || string(e.result.Payload) != want {
		t.Errorf("got %+v, %v, want %q", e.result, e.err, want)
	}
	f.wantResult("caller", "again", 200, "pong", "call", "callee", "ping")
	f.process("callee")
	f.process("caller")
	if f.said("caller pid ") {
		t.Error("the caller was launched again, too")
	}
}

// F27: the caller is killed while its callee is at work. The callee isn't disturbed; what it answers goes nowhere.
func TestFaultCallerIsKilled(t *testing.T) {
	f := newFaultyNetwork(t, faultyConfig{})
	x := f.start("caller", "t", "call", "callee", "hold")
	f.hear("callee", "holds")
	callee := f.process("callee")
	signalTo(t, f.process("caller"), syscall.SIGKILL)
	wantText(t, x.wantTerminated(promptly).err, "failed to execute transaction t: error sending: chaincode stream terminated: container exited with 137 (killed)")
	signalTo(t, callee, goOn)
	f.wantResult("caller", "again", 200, "pong", "call", "callee", "ping")
	f.process("caller")
	if f.said("callee pid ") {
		t.Error("the callee was launched again, too")
	}
}

// F28: a chaincode that is stopped for a while is called, and answers when it goes on.
func TestFaultStoppedForAWhile(t *testing.T) {
	sent := make(chan struct{}, 10)
	cfg := faultyConfig{}
	cfg.Messages = tells{pb.ChaincodeMessage_TRANSACTION, sent}
	f := newFaultyNetwork(t, cfg)
	f.wantResult("asset:1", "first", 200, "pong", "ping")
	<-sent
	pid := f.process("asset:1")
	stop(t, pid)
	x := f.start("asset:1", "t", "ping")
	<-sent
	signalTo(t, pid, goOn)
	x.wantPayload("pong")
}

// F29: one that is stopped for longer is given up, killed though it takes no SIGTERM, and launched again.
func TestFaultStoppedForLong(t *testing.T) {
	f := newFaultyNetwork(t, faultyConfig{Options: impatient()})
	f.wantResult("asset:1", "first", 200, "pong", "ping")
	pid := f.process("asset:1")
	stop(t, pid)
	f.start("asset:1", "t", "ping").wantTerminated(2*time.Second + promptly)
	f.wantResult("asset:1", "again", 200, "pong", "ping")
	if f.process("asset:1") == pid {
		t.Error("it wasn't launched again")
	}
}

// F59: a chaincode is stopped, and goes on about when its transaction's time is over. Either the answer counts or the timeout
// does; what comes too late is not taken for anything else.
func TestFaultPausedOverItsDeadline(t *testing.T) {
	const limit = 150 * time.Millisecond
	f := newFaultyNetwork(t, faultyConfig{})
	f.wantResult("asset:1", "first", 200, "pong", "ping")
	pid := f.process("asset:1")
	for i, pause := range []time.Duration{0, 100, 130, 140, 145, 148, 150, 152, 155, 160, 250} {
		pause *= time.Millisecond
		stop(t, pid)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		answer := fmt.Sprint("answer ", i)
		x := f.startWith(ctx, "asset:1", fmt.Sprint("t", i), "hold", answer)
		<-time.After(pause)
		signalTo(t, pid, goOn)
		f.hear("asset:1", "holds")
		signalTo(t, pid, goOn)
		e := x.wait(limit + promptly)
		cancel()
		switch {
		case e.err == nil && string(e.result.Payload) == answer && pause < 250*time.Millisecond:
		case errors.Is(e.err, handler.ErrTimeout):
		default:
			t.Errorf("paused for %s: got %+v, %v", pause, e.result, e.err)
		}
		f.wantResult("asset:1", fmt.Sprint("behind t", i), 200, "pong", "ping")
	}
	if f.said("asset:1 pid ") {
		t.Error("it was launched again")
	}
}

// F55, F23: the caller gives up while the chaincode iterates. The chaincode's next request is refused, and nothing else.
func TestFaultCallerCancels(t *testing.T) {
	refused := make(chan struct{}, 10)
	cfg := faultyConfig{}
	cfg.Messages = tells{pb.ChaincodeMessage_ERROR, refused}
	f := newFaultyNetwork(t, cfg)
	f.wantResult("asset:1", "fill", 200, "", "fill")
	ctx, cancel := context.WithCancel(t.Context())
	x := f.startWith(ctx, "asset:1", "t", "range")
	f.hear("asset:1", "holds")
	cancel()
	if e := x.wait(promptly); !errors.Is(e.err, context.Canceled) {
		t.Errorf("Execute: %v", e.err)
	}
	if s := f.List()[0]; s.InFlight != 0 {
		t.Errorf("%d transactions are in flight", s.InFlight)
	}
	signalTo(t, f.process("asset:1"), goOn)
	<-refused
	f.wantResult("asset:1", "again", 200, "pong", "ping")
	if f.said("asset:1 pid ") {
		t.Error("it was launched again")
	}
}

// F56: of two transactions that run in a process, one finishes within the grace time, and the other one is ended. What is
// told to chaincode that has connected by itself is why.
func TestFaultShutdown(t *testing.T) {
	cfg := faultyConfig{}
	cfg.DevMode = true
	f := newFaultyNetwork(t, cfg)
	external := dial(t, f.proxy.Addr())
	if err := external.Send(registration("other:1")); err != nil {
		t.Fatal(err)
	}
	both := []*execution{f.start("asset:1", "t1", "hold"), f.start("asset:1", "t2", "hold")}
	for range both {
		f.hear("asset:1", "holds")
	}
	pid := f.process("asset:1")
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan error, 1)
	go func() { closed <- f.Close(ctx) }()
	eventually(t, "new transactions are refused", func() bool {
		return errors.Is(f.Launch(t.Context(), "asset:1"), chaincodesupport.ErrClosed)
	})
	signalTo(t, pid, goOn)
	eventually(t, "one has finished", func() bool { return !both[0].pending() || !both[1].pending() })
	first, second := both[0], both[1]
	if first.pending() {
		first, second = second, first
	}
	first.wantPayload("")
	if !second.pending() || len(closed) > 0 {
		t.Error("the grace time was cut short")
	}
	cancel()
	second.wantTerminated(promptly)
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	wantStatus(t, untilError(external), codes.Unavailable, closing)
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the process is still there: %v", err)
	}
}

// F33: a chaincode doesn't read what it is sent. Whoever calls it is told when their time is over; and when it reads again, it
// is as if nothing had been.
func TestFaultChaincodeDoesNotRead(t *testing.T) {
	f := newFaultyNetwork(t, faultyConfig{})
	x := f.start("asset:1", "t", "hold", "held")
	f.hear("asset:1", "holds")
	f.stall(netfault.Fault{Stall: true})
	f.callInVain(5)
	f.stall(netfault.Fault{})
	signalTo(t, f.process("asset:1"), goOn)
	x.wantPayload("held")
	f.wantResult("asset:1", "again", 200, "pong", "ping") // behind what was sent in vain
	f.stall(netfault.Fault{Rate: 100_000})
	f.wantResult("asset:1", "slow", 200, "pong", "ping", strings.Repeat("x", 20_000))
	if f.said("asset:1 pid ") {
		t.Error("it was launched again")
	}
}

// stall is what happens to what chaincode is sent.
func (f *faultyNetwork) stall(fault netfault.Fault) {
	f.conns(func(c *netfault.Conn) { c.Set(f.way.toChaincode(), fault) })
}

// callInVain calls a chaincode that doesn't read n times, each with more than a connection holds.
func (f *faultyNetwork) callInVain(n int) {
	f.t.Helper()
	large := strings.Repeat("x", 8<<20)
	for i := range n {
		ctx, cancel := context.WithTimeout(f.t.Context(), soon)
		if e := f.startWith(ctx, "asset:1", fmt.Sprint("in vain ", i), "ping", large).wait(soon + promptly); !errors.Is(e.err, handler.ErrTimeout) {
			f.t.Errorf("Execute: %v", e.err)
		}
		cancel()
	}
}

// F33: a chaincode that reads nothing for longer than a message may take is given up, and launched again.
func TestFaultChaincodeNeverReads(t *testing.T) {
	cfg := faultyConfig{}
	cfg.SendTimeout = 500 * time.Millisecond
	f := newFaultyNetwork(t, cfg)
	x := f.start("asset:1", "t", "hold")
	f.hear("asset:1", "holds")
	pid := f.process("asset:1")
	f.stall(netfault.Fault{Stall: true})
	large := strings.Repeat("x", 8<<20)
	// gRPC takes the first one, of whatever size.
	for _, unread := range []*execution{f.start("asset:1", "t1", "ping", large), f.start("asset:1", "t2", "ping", large), x} {
		if e := unread.wait(cfg.SendTimeout + 2*promptly); !errors.Is(e.err, handler.ErrStreamTerminated) {
			t.Errorf("Execute: %v", e.err)
		}
	}
	f.wantResult("asset:1", "again", 200, "pong", "ping")
	if f.process("asset:1") == pid {
		t.Error("it wasn't launched again")
	}
}
