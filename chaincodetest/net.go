package chaincodetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodetest/internal/otherclock"
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
	runs             int // 0: as many as it takes
	apart            time.Duration
	unsigned         bool
	organizations    []string
	channels         []string
	costs            string
	logger           *zap.Logger
	now              func() time.Time
}

// WithoutDeterminism lets Submit run a chaincode once, and not several times to compare what it has done. Submit then takes less
// time. It is also for chaincode that keeps something in its own memory, as it shouldn't.
func WithoutDeterminism() Option { return func(s *settings) { s.nondeterministic = true } }

// WithRuns has Submit run each transaction n times, and compare what comes of it. Without it, that is 32 times when a function of a
// chaincode first succeeds, and when it first fails, if a fifth of a second is enough for that, and twice after that. Many runs find what
// depends on chance: the order of a map with two keys is missed by 32 runs in one of 70 cases, and by two in 55. WithRuns(1) is
// WithoutDeterminism.
func WithRuns(n int) Option { return func(s *settings) { s.runs = n } }

// WithRunsApart has the second run wait until the machine's clock has come to another multiple of d, when a function of a chaincode first
// succeeds, and when it first fails: until another second, or with 24*time.Hour another day. So what chaincode takes from time.Now in that
// unit is found, in the test's process, too. It takes d at most, and no time in a bubble of testing/synctest, where the clock jumps:
//
//	synctest.Test(t, func(t *testing.T) {
//		net := chaincodetest.New(t, chaincodetest.WithRunsApart(24*time.Hour))
func WithRunsApart(d time.Duration) Option { return func(s *settings) { s.apart = d } }

// WithLogger has the peer log to a logger: zaptest.NewLogger(t) shows its lines beside the test's. They are many.
func WithLogger(l *zap.Logger) Option { return func(s *settings) { s.logger = l } }

// WithOrganizations gives the network organizations by the IDs of their MSPs, in the place of DefaultMSPID. Each has a peer, with the
// private data that its organization may have, and chaincode of its own. Unless Endorsement says otherwise, a majority of them has to
// endorse.
func WithOrganizations(mspIDs ...string) Option {
	return func(s *settings) { s.organizations = mspIDs }
}

// WithChannels gives the network channels, in the place of DefaultChannel. Transactions run on the first one: see Net.Channel.
func WithChannels(ids ...string) Option { return func(s *settings) { s.channels = ids } }

// WithoutSignatures leaves out what a network does beside running chaincode: nothing is signed and verified, no policy is evaluated,
// and there is one organization. Transactions are still validated against what they have read. It is for tests of very many
// transactions, which take a fraction of the time.
func WithoutSignatures() Option { return func(s *settings) { s.unsigned = true } }

// Net is a network for a test: a peer for each organization, and an orderer that makes a block of each transaction. The ledgers are
// in memory.
type Net struct {
	*core
	t       testing.TB
	channel string
	mspID   string // whose peer's ledger is read; "" is the first one's
}

// core is what all views of one network share.
type core struct {
	settings settings
	backend  backend
	deployed deployments
	clock    clock
	others   otherclock.Clock // that of processes
	notes    notes
	faults   faults
	costs    costs
	runs     runs
	recent   recent
	turn     sync.RWMutex // held for reading by those who commit

	mu       sync.Mutex
	txs      int // that were made; it numbers them
	versions int // how often something was deployed
	unasked  []*Tx
	lost     []*Tx // nobody knows what became of them
}

// New returns a network that lives as long as the test. Its parts don't outlive the test: they have ended when t's cleanups have
// run.
func New(t testing.TB, options ...Option) *Net {
	t.Helper()
	c := &core{settings: settings{organizations: []string{DefaultMSPID}, channels: []string{DefaultChannel}, now: time.Now}}
	for _, o := range options {
		o(&c.settings)
	}
	c.clock.now, c.runs.each = c.settings.now, c.settings.runs
	if c.settings.runs == 1 {
		c.settings.nondeterministic = true
	}
	if err := c.start(forEver); err != nil {
		t.Fatalf("chaincodetest: make a network: %v", err)
	}
	n := &Net{core: c, t: t, channel: c.settings.channels[0]}
	t.Cleanup(func() { n.close(t) })
	if c.settings.costs != "" {
		t.Cleanup(func() { c.costs.check(t, c.settings.costs) })
	}
	n.watch(t)
	return n
}

// start makes the backend.
func (c *core) start(timeout time.Duration) (err error) {
	s := &c.settings
	hooks := func(peerName string) handler.Hooks {
		return handler.Hooks{
			Requests: []handler.RequestInterceptor{c.faults.intercept}, Messages: peerNotes{&c.notes, peerName}, Logger: s.logger,
		}
	}
	switch {
	case len(s.organizations) == 0, len(s.channels) == 0:
		return errors.New("want at least one organization, and one channel")
	case s.runs < 0:
		return errors.Errorf("WithRuns(%d): want at least one run", s.runs)
	case s.unsigned && len(s.organizations) > 1:
		return errors.New("WithoutSignatures is for one organization")
	case s.unsigned:
		c.backend, err = newDirect(c, hooks(""), timeout)
	default:
		c.backend, err = newNetwork(c, hooks, timeout)
	}
	return err
}

// forEver is how long a transaction may take in a test without a deadline: nobody who stands at a breakpoint is hurried.
const forEver = 10000 * time.Hour

// timeLeft is how long something may take that begins now: as long as the test itself. A moment before go test would end the whole
// process, a transaction ends, and the test can say which one it was. The moment is enough for the network to end, too.
func timeLeft(t testing.TB) (left time.Duration) {
	const moment = closeTimeout + 2*time.Second
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
	if err := n.others.Close(); err != nil {
		t.Errorf("chaincodetest: remove a file: %v", err)
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
	in := *n
	in.t = t
	in.watch(t)
	return &in
}

// Channel returns the same network on another channel, which WithChannels has named. Every chaincode is on every channel, with a
// state of its own on each.
func (n *Net) Channel(name string) *Net {
	n.t.Helper()
	on := *n
	on.channel = name
	on.content().ledger()
	return &on
}

// Of returns the same network as an organization sees it: State, Private and the like read that organization's peer. Without Of, it
// is the first organization's.
func (n *Net) Of(mspID string) *Net {
	n.t.Helper()
	of := *n
	of.mspID = mspID
	of.content().ledger()
	return &of
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

// count is how many transactions there were.
func (c *core) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
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
