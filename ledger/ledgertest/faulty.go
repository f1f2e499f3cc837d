package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
)

// Method is the name of a method of a simulator, of its ledger, or of an iterator.
type Method string

// The methods that a fault can be set for. Next and Close stand for those methods of every kind of iterator.
const (
	NewSimulator              Method = "NewSimulator"
	GetState                  Method = "GetState"
	SetState                  Method = "SetState"
	DeleteState               Method = "DeleteState"
	GetStateRange             Method = "GetStateRange"
	GetHistoryForKey          Method = "GetHistoryForKey"
	GetStateMultipleKeys      Method = "GetStateMultipleKeys"
	ExecuteQuery              Method = "ExecuteQuery"
	GetStateMetadata          Method = "GetStateMetadata"
	SetStateMetadata          Method = "SetStateMetadata"
	GetPrivateData            Method = "GetPrivateData"
	GetPrivateDataHash        Method = "GetPrivateDataHash"
	SetPrivateData            Method = "SetPrivateData"
	DeletePrivateData         Method = "DeletePrivateData"
	PurgePrivateData          Method = "PurgePrivateData"
	GetPrivateDataRange       Method = "GetPrivateDataRange"
	GetPrivateDataMetadata    Method = "GetPrivateDataMetadata"
	SetPrivateDataMetadata    Method = "SetPrivateDataMetadata"
	ExecuteQueryOnPrivateData Method = "ExecuteQueryOnPrivateData"
	GetCollectionConfig       Method = "GetCollectionConfig"
	Next                      Method = "Next"
	Bookmark                  Method = "Bookmark"
	Close                     Method = "Close"
	Done                      Method = "Done"
)

// Methods returns all methods that a fault can be set for and that chaincode can lead to, for tests that go through them.
// GetCollectionConfig is left out, because only a peer's own hooks call it.
func Methods() []Method {
	return []Method{
		NewSimulator, GetState, SetState, DeleteState, GetStateRange, GetHistoryForKey, GetStateMultipleKeys, ExecuteQuery,
		GetStateMetadata, SetStateMetadata, GetPrivateData, GetPrivateDataHash, SetPrivateData, DeletePrivateData,
		PurgePrivateData, GetPrivateDataRange, GetPrivateDataMetadata, SetPrivateDataMetadata, ExecuteQueryOnPrivateData,
		Next, Bookmark, Close, Done,
	}
}

// Faulty is a ledger that fails as you tell it, and watches how it is used:
//
//	f := ledgertest.NewFaulty(inner)
//	f.On(ledgertest.GetState, ledgertest.Panic("boom"))
//	... run what is tested on f ...
//	f.Check(t)
//
// Its simulators and iterators pass every call on to those of the ledger it wraps, through the fault that was set for the
// method. Which optional interfaces of package ledger a simulator has depends on the one that it wraps. If that has all of
// them, so has this one; ledger.CollectionConfigs doesn't count for that, and is there if the wrapped one has it. Otherwise
// this one has ledger.HistoryReader if the wrapped one has it, and no other.
//
// All methods of Faulty are safe for concurrent use. Check reports whether its simulators and iterators were used as they
// must be.
type Faulty struct {
	inner ledger.Ledger

	mu         sync.Mutex // protects the fields below
	faults     map[Method]Fault
	calls      map[Method]int
	counts     Counts
	violations []string
}

var _ ledger.Ledger = (*Faulty)(nil)

// Counts are how many simulators and iterators were given out and given back. Giving back the same one twice counts once,
// and is a violation.
type Counts struct {
	Simulators, Done  int
	Iterators, Closed int
}

// NewFaulty returns a ledger that behaves as inner does, until On says otherwise.
func NewFaulty(inner ledger.Ledger) *Faulty {
	return &Faulty{inner: inner, faults: map[Method]Fault{}, calls: map[Method]int{}}
}

// On makes every later call of the method go through fault, in place of the one that was set before. With nil the method
// works again. Check reports a method that does not exist.
func (f *Faulty) On(method Method, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if method != GetCollectionConfig && !slices.Contains(Methods(), method) {
		f.violations = append(f.violations, fmt.Sprintf("On was given the method %q; use one of %q", method, Methods()))
		return
	}
	f.faults[method] = fault
}

// Calls returns how often the method was called, whether or not the call has returned.
func (f *Faulty) Calls(method Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Counts returns how many simulators and iterators were given out and given back so far.
func (f *Faulty) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// Violations returns in words what was done wrong so far. That is: a simulator and its iterators used by two goroutines at
// once, used after Done or Close, given back twice, or Done while an iterator was open.
func (f *Faulty) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// Check fails the test for every violation, and if a simulator or an iterator was not given back. Call it when everything
// that the test started has ended.
func (f *Faulty) Check(t testing.TB) {
	t.Helper()
	for _, v := range f.Violations() {
		t.Error(v)
	}
	c := f.Counts()
	if c.Simulators != c.Done {
		t.Errorf("%d simulators were made, %d were done", c.Simulators, c.Done)
	}
	if c.Iterators != c.Closed {
		t.Errorf("%d iterators were opened, %d were closed", c.Iterators, c.Closed)
	}
}

// NewSimulator implements ledger.Ledger.
func (f *Faulty) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	var inner ledger.Simulator
	err := f.call(ctx, NewSimulator, func() (err error) {
		inner, err = f.inner.NewSimulator(ctx, txID)
		return err
	})
	if inner == nil {
		return nil, err
	}
	if err != nil {
		inner.Done()
		return nil, err
	}
	f.count(func(c *Counts) { c.Simulators++ })
	return (&simulator{f: f, inner: inner, txID: txID}).withOptional(), nil
}

// call counts a call and makes it, through the method's fault.
func (f *Faulty) call(ctx context.Context, method Method, inner func() error) error {
	f.mu.Lock()
	f.calls[method]++
	fault := f.faults[method]
	f.mu.Unlock()
	if fault == nil {
		return inner()
	}
	return fault(ctx, inner)
}

func (f *Faulty) count(change func(*Counts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.counts)
}

func (f *Faulty) violation(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.violations = append(f.violations, fmt.Sprintf(format, args...))
}
