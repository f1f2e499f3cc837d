//go:build unix

package chaincodesupport_test

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
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
}

const (
	// startup is how long a launch may take whose end is noticed by nothing else.
	startup = 4 * time.Second
	// noticed is how long it may take, also on a busy machine, until who waits is told. Nothing else would tell within 30 s.
	noticed = 5 * time.Second
)

// faultPoint is a point of the conversation, and answer what the transaction answers if nothing befalls the chaincode.
type faultPoint struct {
	name   string
	reach  func(t *testing.T, cfg faultyConfig) *cell
	answer string
}

const (
	beforeRegister = "before REGISTER"
	registering    = "REGISTER"
	idle           = "READY, idle"
	sentUnread     = "TRANSACTION unread"
)

var faultPoints = []faultPoint{
	{beforeRegister, reachBeforeRegister, "pong"},
	{registering, func(t *testing.T, cfg faultyConfig) *cell { return reachStalled(t, cfg, pb.ChaincodeMessage_REGISTER) }, "pong"},
	{sentUnread, func(t *testing.T, cfg faultyConfig) *cell {
		return reachStalled(t, cfg, pb.ChaincodeMessage_TRANSACTION)
	}, "pong"},
	{idle, reachIdle, ""},
	{"transaction running", func(t *testing.T, cfg faultyConfig) *cell {
		c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
		c.running = c.start(c.id, "t", "hold", "held")
		c.hear(c.id, "holds")
		return c
	}, "held"},
	{"request pending", reachPending, ""},
	{"iterating", func(t *testing.T, cfg faultyConfig) *cell {
		c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
		c.wantResult(c.id, "fill", 200, "", "fill")
		c.running = c.start(c.id, "t", "range")
		c.hear(c.id, "holds")
		return c
	}, "150"},
}

// The stream is open, and the peer waits for REGISTER.
func reachBeforeRegister(t *testing.T, cfg faultyConfig) *cell {
	opened := make(chan struct{}, 10)
	cfg.First = playMute
	cfg.Identify = func(context.Context) (string, error) { opened <- struct{}{}; return "", nil }
	c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
	c.running = c.start(c.id, "t", "ping")
	if c.way.dialled {
		c.hear(c.id, "is mute")
	} else {
		c.reached(opened)
	}
	return c
}

// reachStalled begins a transaction, for which the chaincode is launched. What the peer sends doesn't arrive any more when a
// message of a type has been received, or is about to be sent.
func reachStalled(t *testing.T, cfg faultyConfig, typ pb.ChaincodeMessage_Type) *cell {
	c, stalled := &cell{}, make(chan struct{})
	var network sync.WaitGroup // until c has one
	network.Add(1)
	cfg.Messages = onFirst(typ, func() {
		network.Wait()
		c.stall(netfault.Fault{Stall: true})
		close(stalled)
	})
	c.faultyNetwork = newFaultyNetwork(t, cfg)
	network.Done()
	c.running = c.start(c.id, "t", "ping")
	c.reached(stalled)
	c.proceed = func() { c.stall(netfault.Fault{}) }
	return c
}

func reachIdle(t *testing.T, cfg faultyConfig) *cell {
	c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
	c.wantResult(c.id, "t", 200, "pong", "ping")
	return c
}

// The ledger is busy with the chaincode's request, and stays so until it is told to proceed, or the test is over.
func reachPending(t *testing.T, cfg faultyConfig) *cell {
	c := &cell{faultyNetwork: newFaultyNetwork(t, cfg)}
	asked, release := c.holdGetState(t)
	c.proceed = release
	c.running = c.start(c.id, "t", "get")
	c.reached(asked)
	return c
}

// reached waits until the point has been reached.
func (c *cell) reached(point <-chan struct{}) {
	c.t.Helper()
	select {
	case <-point:
	case e := <-c.running.done:
		c.t.Fatalf("Execute has returned %+v, %v", e.result, e.err)
	case <-time.After(patience):
		c.t.Fatal("the conversation doesn't come to that point")
	}
}

// slowFor is how long a connection is slow.
const slowFor = 100 * time.Millisecond

// harmless reports whether the chaincode goes on when the fault is over.
func (k faultKind) harmless() bool { return k.name == stopAndCont || k.name == slow }

// mute reports whether nobody is told of the fault, and only silence says that something is wrong.
func (k faultKind) mute() bool { return k.name == stopped || k.name == blackhole }

// faultKind is what befalls the chaincode, or its connection.
type faultKind struct {
	name   string
	strike func(t *testing.T, c *cell)
	exit   string // what a process ends with that ends of the fault itself, in any way in which it is run
}

const stopAndCont, slow, stopped, blackhole = "STOP and CONT", "1 byte/s", "STOP", "blackhole"

var faultKinds = []faultKind{
	{"KILL", signals(syscall.SIGKILL), "137 (killed)"},
	{"exit 0", signals(exit0), "0"},
	{"exit 1", signals(exit1), "1"},
	{"panic", signals(panics), "2: panic: out of luck (faults_child_test.go:"},
	{stopAndCont, func(t *testing.T, c *cell) {
		stop(t, c.pid)
		if c.running != nil && !c.running.pending() {
			t.Error("Execute has returned while the chaincode was stopped")
		}
		signalTo(t, c.pid, goOn)
		if c.proceed != nil {
			c.proceed()
		}
	}, ""},
	{slow, func(t *testing.T, c *cell) { // for a moment: a message of a few hundred bytes would take minutes
		c.conns(func(conn *netfault.Conn) { conn.Set(netfault.Both, netfault.Fault{Rate: 1}) })
		signalTo(t, c.pid, goOn)
		<-time.After(slowFor)
		if c.running != nil && !c.running.pending() {
			t.Error("Execute has returned although nothing can have arrived")
		}
		if c.proceed != nil {
			c.proceed()
		}
		c.conns(func(conn *netfault.Conn) { conn.Set(netfault.Both, netfault.Fault{}) })
	}, ""},
	{stopped, func(t *testing.T, c *cell) { stop(t, c.pid) }, ""},
	{"FIN", strikes(func(c *netfault.Conn) { c.End(netfault.Both) }), ""},
	{"RST", strikes((*netfault.Conn).Reset), ""},
	{blackhole, strikes(func(c *netfault.Conn) { c.Set(netfault.Both, netfault.Fault{Blackhole: true}) }), ""},
}

func signals(sig syscall.Signal) func(*testing.T, *cell) {
	return func(t *testing.T, c *cell) { signalTo(t, c.pid, sig) }
}

func strikes(do func(*netfault.Conn)) func(*testing.T, *cell) {
	return func(_ *testing.T, c *cell) { c.conns(do) }
}

// F27, F28, F29, F31, F68: whatever befalls a chaincode, at whatever point of the conversation, in whatever way it is run: who
// waits is told in time, and why. List says so, too, and whoever calls next has it launched again. Nothing is left (TestMain,
// and faultyNetwork).
func TestFaultAtEveryPoint(t *testing.T) {
	t.Parallel()
	var cells sync.WaitGroup
	running := make(chan struct{}, 8) // most of the time, each waits
	for _, w := range []*way{asProcess, byBuilder, byDialing, byUser} {
		for _, point := range faultPoints {
			for _, fault := range faultKinds {
				if (fault.name == stopped || fault.name == slow) && os.Getenv("CCPEER_LONG") == "" {
					continue // they wait for long, and so make a machine of two processors late for the others
				}
				cells.Go(func() {
					running <- struct{}{}
					defer func() { <-running }()
					t.Run(w.name+"/"+point.name+"/"+fault.name, func(t *testing.T) { strike(t, w, point, fault) })
				})
			}
		}
	}
	cells.Wait()
}

// strike tests a cell of the matrix.
func strike(t *testing.T, w *way, point faultPoint, fault faultKind) {
	cfg := faultyConfig{Way: w}
	if fault.mute() { // what it takes to notice it soon depends on who has dialled
		if w.dialled {
			cfg.Keepalive = 300 * time.Millisecond
		} else {
			cfg.Options = impatient()
		}
	}
	expired := point.name == beforeRegister && !fault.harmless() && (fault.mute() || w.unwatched)
	if expired {
		cfg.StartupTimeout = startup
	}
	c := point.reach(t, cfg)
	c.pid = c.process(c.id)
	fault.strike(t, c)
	if fault.harmless() {
		c.wantUnharmed(point)
		return
	}
	want := w.verdict(c.id, fault)
	switch {
	case expired:
		text := "timeout expired while starting chaincode " + c.id + " for transaction"
		want.cause = []string{text, text + "; killed 100ms after SIGTERM: …"} // one that is stopped can't be asked to end
		c.wantLaunchFailed(startup+noticed, failed+text)
	case point.name == beforeRegister:
		want.cause = want.unregistered
		c.wantLaunchFailed(noticed, behind(failed+registrationFailed, want.unregistered)...)
	case point.name == registering:
		c.wantEither()
	case point.name == idle:
		eventually(t, "the chaincode has ended", func() bool { return c.List()[0].State == chaincodesupport.Stopped })
	default:
		c.wantTold(want, point.name == sentUnread)
	}
	if fault.name == stopped && w.dialled { // the server goes on: nobody has ended it
		signalTo(t, c.pid, goOn)
	}
	c.wantAgain(want, fault)
}

// wantUnharmed makes sure that all goes on as if nothing had been.
func (c *cell) wantUnharmed(point faultPoint) {
	c.t.Helper()
	if c.running != nil {
		c.running.wantPayload(point.answer)
	}
	c.wantResult(c.id, "again", 200, "pong", "ping")
	if c.said(c.id + " pid ") {
		c.t.Error("the chaincode was launched again")
	}
	if s := c.List()[0]; s.State != chaincodesupport.Ready || s.Restarts != 0 || s.LastError != nil || s.InFlight != 0 {
		c.t.Errorf("afterwards it is %+v", s)
	}
}

// wantLaunchFailed makes sure that who waits for the launch is told.
func (c *cell) wantLaunchFailed(limit time.Duration, texts ...string) {
	c.t.Helper()
	wantOneOf(c.t, c.running.wait(limit).err, texts)
}

// wantEither is for what befalls the chaincode before or after READY was sent, or the transaction: whatever is first.
func (c *cell) wantEither() {
	c.t.Helper()
	err := c.running.wait(noticed).err
	if notSent(err) {
		return
	}
	wantOneOf(c.t, err, []string{
		failed + registrationFailed + "…", failed + terminated + "…",
		failed + "claimed to start chaincode container for " + c.id + " but could not find handler",
	})
}

// wantTold makes sure that who waits for the transaction is told, and why. A busy machine may not know why in time. The transaction
// may still have been on its way.
func (c *cell) wantTold(want verdict, maybeUnsent bool) {
	c.t.Helper()
	began := time.Now()
	e := c.running.wantTerminated(noticed)
	if maybeUnsent && notSent(e.err) {
		return
	}
	texts := behind(failed+terminated+": ", want.told)
	if want.silent || e.at.Sub(began) >= lastWords-100*time.Millisecond {
		texts = append(texts, failed+terminated)
	}
	wantOneOf(c.t, e.err, texts)
}

// wantAgain makes sure that the next call is served, by another process unless the chaincode hasn't ended. Of what has been,
// nothing is left but why.
func (c *cell) wantAgain(want verdict, fault faultKind) {
	c.t.Helper()
	if c.proceed != nil {
		c.proceed()
	}
	c.wantResult(c.id, "again", 200, "pong", "ping")
	s := c.List()[0]
	if s.State != chaincodesupport.Ready || s.Restarts != 1 || s.InFlight != 0 || s.Abandoned != 0 {
		c.t.Errorf("afterwards it is %+v", s)
	}
	wantOneOf(c.t, s.LastError, want.cause)
	switch {
	case !c.way.dialled || fault.exit != "":
		if pid := c.process(c.id); pid == c.pid {
			c.t.Error("the same process was launched again")
		}
	case c.said(c.id + " pid "):
		c.t.Error("a server that hadn't ended was started again")
	}
}
