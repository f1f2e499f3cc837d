package chaincodetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/handler"
)

// The names that a Net has unless an option says otherwise.
const (
	// DefaultChannel is the channel on which transactions run.
	DefaultChannel = "mychannel"
	// DefaultMSPID is the ID of the peer's organization.
	DefaultMSPID = "Org1MSP"
)

// Option is a setting of New.
type Option func(*settings)

// settings are what options set.
type settings struct {
	nondeterministic bool
	costs            string
	logger           *zap.Logger
	mspID            string
	now              func() time.Time
}

// WithoutDeterminism lets Submit run a chaincode once, and not twice to compare what it has done. Submit then takes half the
// time. It is also for chaincode that keeps something in its own memory, as it shouldn't.
func WithoutDeterminism() Option { return func(s *settings) { s.nondeterministic = true } }

// WithLogger has the peer log to a logger: zaptest.NewLogger(t) shows its lines beside the test's. They are many.
func WithLogger(l *zap.Logger) Option { return func(s *settings) { s.logger = l } }

// WithMSPID gives the peer's organization another ID than DefaultMSPID.
func WithMSPID(id string) Option { return func(s *settings) { s.mspID = id } }

// Net is a network for a test. It has one peer, which is ready when New returns, and a ledger in memory.
type Net struct {
	*core
	t       testing.TB
	channel string
}

// core is what all views of one network share.
type core struct {
	settings settings
	backend  *backend
	clock    clock
	notes    notes
	faults   faults
	costs    costs

	mu         sync.Mutex
	identities identities
	txs        int // that were made; it numbers them
	unasked    []*Tx
}

// New returns a network that lives as long as the test. Its parts don't outlive the test: they have ended when t's cleanups have
// run.
func New(t testing.TB, options ...Option) *Net {
	t.Helper()
	c := &core{settings: settings{mspID: DefaultMSPID, now: time.Now}}
	for _, o := range options {
		o(&c.settings)
	}
	c.clock.now = c.settings.now
	b, err := newBackend(handler.Hooks{
		Requests: []handler.RequestInterceptor{c.faults.intercept},
		Messages: &c.notes,
		Logger:   c.settings.logger,
	}, timeLeft(t))
	if err != nil {
		t.Fatalf("chaincodetest: make a peer: %v", err)
	}
	c.backend = b
	n := &Net{core: c, t: t, channel: DefaultChannel}
	n.content().ledger() // there is a channel before anything runs
	t.Cleanup(func() { n.close(t) })
	if c.settings.costs != "" {
		t.Cleanup(func() { c.costs.check(t, c.settings.costs) })
	}
	n.watch(t)
	return n
}

// timeLeft is how long a transaction may take: as long as the test itself, so that nobody who stands at a breakpoint is hurried.
// A moment before go test would end the whole process, the transaction ends, and the test can say which one it was.
func timeLeft(t testing.TB) (left time.Duration) {
	const forEver, moment = 10000 * time.Hour, 5 * time.Second
	defer func() {
		if recover() != nil {
			left = forEver // in a bubble of testing/synctest, Deadline panics: the time there is another one
		}
	}()
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return forEver
	}
	at, limited := d.Deadline()
	if !limited {
		return forEver
	}
	return max(time.Until(at)-moment, time.Second)
}

// close ends the network.
func (n *Net) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := n.backend.close(ctx); err != nil {
		t.Errorf("chaincodetest: the network didn't end: %v", err)
	}
}

// closeTimeout is how long transactions may go on when a test has ended.
const closeTimeout = 5 * time.Second

// In returns the same network for a subtest, which then is what fails. The network itself lives as long as the test that has
// made it.
//
//	t.Run("owner", func(t *testing.T) { net.In(t).As("alice@Org1MSP").Submit(...).OK() })
func (n *Net) In(t testing.TB) *Net {
	t.Helper()
	in := &Net{core: n.core, t: t, channel: n.channel}
	in.watch(t)
	return in
}

// Channel returns the same network on another channel, which is made if it isn't there. Every chaincode is on every channel, with
// a state of its own on each.
func (n *Net) Channel(name string) *Net {
	n.t.Helper()
	if _, err := n.backend.ledger(context.Background(), name); err != nil {
		n.t.Fatalf("chaincodetest: make channel %q: %v", name, err)
	}
	return &Net{core: n.core, t: n.t, channel: name}
}

// watch fails t at its end if one of its transactions failed, and nobody noticed.
func (n *Net) watch(t testing.TB) {
	t.Cleanup(func() {
		t.Helper()
		for _, tx := range n.takeUnasked(t) {
			t.Errorf("%s failed, and the test never asked: say OK, Fails or Status of it\n%s", tx.name(), tx.report())
		}
	})
}

// takeUnasked returns the failed transactions of t that nobody has asked how they ended.
func (c *core) takeUnasked(t testing.TB) []*Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	var of, others []*Tx
	for _, tx := range c.unasked {
		switch {
		case tx.net.t != t:
			others = append(others, tx)
		case !tx.asked.Load():
			of = append(of, tx)
		}
	}
	c.unasked = others
	return of
}

// number returns the next transaction's number.
func (c *core) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txs++
	return c.txs
}

func (c *core) noteUnasked(tx *Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unasked = append(c.unasked, tx)
}

// fatal fails the test because the kit was used in a way that can't work.
func (n *Net) fatal(format string, args ...any) {
	n.t.Helper()
	n.t.Fatalf("chaincodetest: %s", fmt.Sprintf(format, args...))
}
