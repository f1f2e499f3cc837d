//go:build unix

package chaincodesupport_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/netfault"
	pb "github.com/ccpeer/ccpeer/proto"
)

// cell is a chaincode that has come to a point of the conversation.
type cell struct {
	*faultyNetwork
	pid int
	// running is the transaction that the chaincode is in, or for which it is launched. Nil: none.
	running *execution
	// proceed lets what holds up the transaction, beside the chaincode itself, go on. Nil: nothing does.
	proceed func()
	// struck is when the fault befell it.
	struck time.Time
}

// startup is how long a launch may take: it limits what is noticed of a chaincode that is unreachable and hasn't registered.
const startup = 4 * time.Second

// faultPoint is a point of the conversation, and answer what the transaction answers if nothing befalls the chaincode.
type faultPoint struct {
	name   string
	reach  func(t *testing.T) *cell
	answer string
}

const beforeRegister, afterRegister, idle = "before REGISTER", "after REGISTER", "READY, idle"

var faultPoints = []faultPoint{
	{beforeRegister, reachBeforeRegister, "pong"},
	{afterRegister, reachAfterRegister, "pong"},
	{idle, reachIdle, ""},
	{"transaction running", func(t *testing.T) *cell {
		c := &cell{faultyNetwork: newFaultyNetwork(t, faultyConfig{Options: impatient()})}
		c.running = c.start("asset:1", "t", "hold", "held")
		c.hear("asset:1", "holds")
		return c
	}, "held"},
	{"request pending", reachPending, ""},
	{"iterating", func(t *testing.T) *cell {
		c := &cell{faultyNetwork: newFaultyNetwork(t, faultyConfig{Options: impatient()})}
		c.wantResult("asset:1", "fill", 200, "", "fill")
		c.running = c.start("asset:1", "t", "range")
		c.hear("asset:1", "holds")
		return c
	}, "150"},
}

// The stream is open, and the peer waits for REGISTER.
func reachBeforeRegister(t *testing.T) *cell {
	opened := make(chan struct{}, 10)
	cfg := faultyConfig{First: playMute, Options: impatient()}
	cfg.StartupTimeout = startup
	cfg.Identify = func(context.Context) (string, error) { opened <- struct{}{}; return "", nil }
	c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
	c.running = c.start("asset:1", "t", "ping")
	<-opened
	return c
}

// The peer has REGISTER. What it answers doesn't arrive.
func reachAfterRegister(t *testing.T) *cell {
	c, registered := &cell{}, make(chan struct{})
	var network sync.WaitGroup // until c has one
	network.Add(1)
	cfg := faultyConfig{Options: impatient()}
	cfg.Messages = onFirst(pb.ChaincodeMessage_REGISTER, func() {
		network.Wait()
		c.conns(func(conn *netfault.Conn) { conn.Set(netfault.Down, netfault.Fault{Stall: true}) })
		close(registered)
	})
	c.faultyNetwork = newFaultyNetwork(t, cfg)
	network.Done()
	c.running = c.start("asset:1", "t", "ping")
	<-registered
	c.proceed = func() { c.conns(func(conn *netfault.Conn) { conn.Set(netfault.Down, netfault.Fault{}) }) }
	return c
}

func reachIdle(t *testing.T) *cell {
	c := &cell{faultyNetwork: newFaultyNetwork(t, faultyConfig{Options: impatient()})}
	c.wantResult("asset:1", "t", 200, "pong", "ping")
	return c
}

// The ledger is busy with the chaincode's request, and stays so until it is told to proceed, or the test is over.
func reachPending(t *testing.T) *cell {
	c := &cell{faultyNetwork: newFaultyNetwork(t, faultyConfig{Options: impatient()})}
	asked, release := c.holdGetState(t)
	c.proceed = release
	c.running = c.start("asset:1", "t", "get")
	<-asked
	return c
}

// faultKind is what befalls the chaincode, or its connection.
type faultKind struct {
	name   string
	strike func(t *testing.T, c *cell)
	limit  time.Duration // within which callers are told
	text   string        // of the error, if it fails a launch
}

const (
	stopAndCont, blackhole = "STOP and CONT", "blackhole"
	failed                 = "failed to execute transaction t: "
	exited                 = failed + "chaincode registration failed: container exited with "
)

var faultKinds = []faultKind{
	{"KILL", signals(syscall.SIGKILL), promptly, exited + "137 (killed)"},
	{"exit 0", signals(exit0), promptly, exited + "0"},
	{"exit 1", signals(exit1), promptly, exited + "1"},
	{"panic", signals(panics), promptly, exited + "2: panic: out of luck (faults_child_test.go:"},
	{stopAndCont, func(t *testing.T, c *cell) {
		stop(t, c.pid)
		if c.running != nil && !c.running.pending() {
			t.Error("Execute has returned while the chaincode was stopped")
		}
		signalTo(t, c.pid, goOn)
		if c.proceed != nil {
			c.proceed()
		}
	}, patience, ""},
	{"FIN", strikes(func(c *netfault.Conn) { c.End(netfault.Both) }), promptly, exited + "5"},
	{"RST", strikes((*netfault.Conn).Reset), promptly, exited + "5"},
	{blackhole, strikes(func(c *netfault.Conn) { c.Set(netfault.Both, netfault.Fault{Blackhole: true}) }), 1200*time.Millisecond + promptly,
		failed + "timeout expired while starting chaincode asset:1 for transaction"},
}

func signals(sig syscall.Signal) func(*testing.T, *cell) {
	return func(t *testing.T, c *cell) { signalTo(t, c.pid, sig) }
}

func strikes(do func(*netfault.Conn)) func(*testing.T, *cell) {
	return func(_ *testing.T, c *cell) { c.conns(do) }
}

// F27, F28, F29, F31: whatever befalls a chaincode that runs as a process, at whatever point of the conversation: who waits
// is told in time, and whoever calls next has it launched again. Nothing is left (TestMain, and faultyNetwork).
func TestFaultAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, point := range faultPoints {
		for _, fault := range faultKinds {
			t.Run(point.name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				c := point.reach(t)
				c.pid = c.process("asset:1")
				c.struck = time.Now()
				fault.strike(t, c)
				if fault.name == stopAndCont {
					c.wantUnharmed(point)
					return
				}
				c.wantHarmed(point, fault)
				if c.proceed != nil {
					c.proceed()
				}
				c.wantResult("asset:1", "again", 200, "pong", "ping")
				if pid := c.process("asset:1"); pid == c.pid {
					t.Error("the same process was launched again")
				}
			})
		}
	}
}

// wantUnharmed makes sure that all goes on as if nothing had been.
func (c *cell) wantUnharmed(point faultPoint) {
	c.t.Helper()
	if c.running != nil {
		c.running.wantPayload(point.answer)
	}
	c.wantResult("asset:1", "again", 200, "pong", "ping")
	if c.said("asset:1 pid ") {
		c.t.Error("the chaincode was launched again")
	}
}

// wantHarmed makes sure that who waits is told, in time.
func (c *cell) wantHarmed(point faultPoint, fault faultKind) {
	c.t.Helper()
	limit := fault.limit
	if point.name == beforeRegister && fault.name == blackhole {
		limit = startup + promptly
	}
	switch point.name {
	case idle:
		c.wantNoticed(limit)
	case beforeRegister:
		wantText(c.t, c.running.wait(limit).err, fault.text+"…")
	case afterRegister:
		err := c.running.wait(limit).err
		launchFailed := err != nil && strings.HasPrefix(err.Error(), failed+"chaincode registration failed: ") // READY had not been sent
		if !launchFailed && !notSent(err) && !errors.Is(err, handler.ErrStreamTerminated) {
			c.t.Errorf("Execute: %v", err)
		}
	default:
		err := c.running.wantTerminated(limit).err
		exit, ofProcess := strings.CutPrefix(fault.text, exited)
		if ofProcess && exit != "5" && time.Since(c.struck) < 500*time.Millisecond { // a busy machine may not tell in time
			wantText(c.t, err, failed+"error sending: chaincode stream terminated: container exited with "+exit+"…")
		}
	}
}

// wantNoticed makes sure that the end of a chaincode is noticed which nobody calls but one who may come too early.
func (c *cell) wantNoticed(limit time.Duration) {
	c.t.Helper()
	began := time.Now()
	e := c.start("asset:1", "early", "ping").wait(limit)
	if e.err != nil && !notSent(e.err) && !errors.Is(e.err, handler.ErrStreamTerminated) {
		c.t.Errorf("Execute: %v", e.err)
	}
	eventually(c.t, "the chaincode has ended", func() bool {
		return c.List()[0].State != chaincodesupport.Ready || c.said("asset:1 pid ")
	})
	if d := time.Since(began); d > limit {
		c.t.Errorf("noticed after %s", d)
	}
}

// notSent reports whether err says that the stream had ended before the transaction was sent.
func notSent(err error) bool {
	return err != nil && strings.Contains(err.Error(), "] error sending TRANSACTION: ")
}
