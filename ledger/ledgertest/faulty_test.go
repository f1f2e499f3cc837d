package ledgertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

var errFault = errors.New("fault")

// exercise calls every method at least once, and gives back what it got. It returns the first error.
func exercise(ctx context.Context, l ledger.Ledger) (err error) {
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	for _, use := range []func(context.Context, full, func(error)){write, read, query} {
		sim, e := l.NewSimulator(ctx, "tx")
		note(e)
		if sim == nil {
			continue
		}
		func() {
			defer sim.Done()
			use(ctx, sim.(full), note)
		}()
	}
	return err
}

func write(ctx context.Context, sim full, note func(error)) {
	note(sim.SetState(ctx, ns, "k", []byte("v")))
	note(sim.DeleteState(ctx, ns, "k"))
	note(sim.SetStateMetadata(ctx, ns, "k", nil))
	note(sim.SetPrivateData(ctx, ns, coll, "k", []byte("v")))
	note(sim.DeletePrivateData(ctx, ns, coll, "k"))
	note(sim.PurgePrivateData(ctx, ns, coll, "k"))
	note(sim.SetPrivateDataMetadata(ctx, ns, coll, "k", nil))
}

func read(ctx context.Context, sim full, note func(error)) {
	_, err := sim.GetState(ctx, ns, "k")
	note(err)
	_, err = sim.GetStateMultipleKeys(ctx, ns, []string{"k"})
	note(err)
	_, err = sim.GetStateMetadata(ctx, ns, "k")
	note(err)
	_, err = sim.GetPrivateData(ctx, ns, coll, "k")
	note(err)
	_, err = sim.GetPrivateDataHash(ctx, ns, coll, "k")
	note(err)
	_, err = sim.GetPrivateDataMetadata(ctx, ns, coll, "k")
	note(err)
}

func query(ctx context.Context, sim full, note func(error)) {
	it, err := sim.GetStateRange(ctx, ns, ledger.Range{})
	note(err)
	readOne(ctx, it, note)
	it, err = sim.GetPrivateDataRange(ctx, ns, coll, ledger.Range{})
	note(err)
	readOne(ctx, it, note)
	it, err = sim.ExecuteQueryOnPrivateData(ctx, ns, coll, everything)
	note(err)
	readOne(ctx, it, note)
	rich, err := sim.ExecuteQuery(ctx, ns, everything, ledger.Page{Size: 1})
	note(err)
	if rich != nil {
		defer rich.Close()
		_, err = rich.Next(ctx)
		note(err)
		_, err = rich.Bookmark(ctx)
		note(err)
	}
	history, err := sim.GetHistoryForKey(ctx, ns, "k")
	note(err)
	if history != nil {
		defer history.Close()
		_, err = history.Next(ctx)
		note(err)
	}
}

func readOne(ctx context.Context, it ledger.Iterator, note func(error)) {
	if it != nil {
		defer it.Close()
		_, err := it.Next(ctx)
		note(err)
	}
}

// afterCall is a fault that strikes when the call has been made.
func afterCall(_ context.Context, call func() error) error {
	if err := call(); err != nil {
		return err
	}
	return errFault
}

func panics(run func()) (value any) {
	defer func() { value = recover() }()
	run()
	return nil
}

// TestFaults strikes in every method, and finds nothing to blame in a caller that gives back what it got.
func TestFaults(t *testing.T) {
	for _, method := range ledgertest.Methods() {
		returns := method != ledgertest.Close && method != ledgertest.Done
		for name, fault := range map[string]ledgertest.Fault{
			"none": nil, "error": ledgertest.Fail(errFault), "error after the call": afterCall, "nil": ledgertest.ReturnNil(),
			"panic": ledgertest.Panic("boom"), "once": ledgertest.Once(ledgertest.Fail(errFault)),
			"not yet": ledgertest.AfterCalls(9, ledgertest.Fail(errFault)),
		} {
			t.Run(string(method)+"/"+name, func(t *testing.T) {
				f := newFaulty(t)
				f.On(method, fault)
				var err error
				value := panics(func() { err = exercise(t.Context(), f) })
				if (value != nil) != (name == "panic") || (value != nil && value != "boom") {
					t.Errorf("panic: %v", value)
				}
				if want := returns && (strings.HasPrefix(name, "error") || name == "once"); errors.Is(err, errFault) != want {
					t.Errorf("error: %v", err)
				}
				f.Check(t)
				if f.Calls(method) == 0 {
					t.Error("the method was not called")
				}
				f.On(method, nil)
				if err := exercise(t.Context(), f); err != nil {
					t.Errorf("set right again: %v", err)
				}
				f.Check(t)
			})
		}
	}
}

func TestNilResults(t *testing.T) {
	f := newFaulty(t)
	sim := newSimulator(t, f)
	defer sim.Done()
	for _, method := range ledgertest.Methods() {
		if method != ledgertest.Done {
			f.On(method, ledgertest.ReturnNil())
		}
	}
	if s, err := f.NewSimulator(t.Context(), "tx"); s != nil || err != nil {
		t.Errorf("simulator is %v, %v", s, err)
	}
	if it, err := sim.GetStateRange(t.Context(), ns, ledger.Range{}); it != nil || err != nil {
		t.Errorf("iterator is %v, %v", it, err)
	}
	if it, err := sim.(ledger.HistoryReader).GetHistoryForKey(t.Context(), ns, "k"); it != nil || err != nil {
		t.Errorf("history is %v, %v", it, err)
	}
	if it, err := sim.(full).ExecuteQuery(t.Context(), ns, everything, ledger.Page{}); it != nil || err != nil {
		t.Errorf("query is %v, %v", it, err)
	}
	if it, err := sim.(full).GetPrivateDataRange(t.Context(), ns, coll, ledger.Range{}); it != nil || err != nil {
		t.Errorf("private iterator is %v, %v", it, err)
	}
	if it, err := sim.(full).ExecuteQueryOnPrivateData(t.Context(), ns, coll, everything); it != nil || err != nil {
		t.Errorf("private query is %v, %v", it, err)
	}
	if want := (ledgertest.Counts{Simulators: 1}); f.Counts() != want {
		t.Errorf("counts are %+v, want %+v", f.Counts(), want)
	}
}

func TestBlockAndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFaulty(t)
		sim := newSimulator(t, f)
		release := make(chan struct{})
		f.On(ledgertest.GetState, ledgertest.Hang(release))
		returned := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := sim.GetState(ctx, ns, "k")
			returned <- err
		}()
		cancel()
		synctest.Wait()
		select {
		case err := <-returned:
			t.Errorf("a blocked call has returned: %v", err)
		default:
		}
		close(release)
		if err := <-returned; !errors.Is(err, context.Canceled) { // which the ledger beneath looks at
			t.Errorf("a released call: %v", err)
		}
		f.On(ledgertest.GetState, ledgertest.Delay(time.Minute))
		start := time.Now()
		if _, err := sim.GetState(ctx, ns, "k"); !errors.Is(err, context.Canceled) || time.Since(start) != time.Minute {
			t.Errorf("a late call returned after %v, %v", time.Since(start), err)
		}
		sim.Done()
		f.Check(t)
	})
}

// TestViolations breaks the rules one by one. Each is found, and nothing else is.
func TestViolations(t *testing.T) {
	for _, test := range []struct {
		name string
		use  func(t *testing.T, f *ledgertest.Faulty, sim ledger.Simulator)
		want []string
	}{
		{"good order", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			openRange(t, sim).Close()
			sim.Done()
		}, nil},
		{"Done twice", func(_ *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			sim.Done()
			sim.Done()
		}, []string{`txid "tx": Done was called after the simulator's Done`}},
		{"used after Done", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			sim.Done()
			_, _ = sim.GetState(t.Context(), ns, "k")
		}, []string{`txid "tx": GetState was called after the simulator's Done`}},
		{"iterator open at Done", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			it := openRange(t, sim)
			sim.Done()
			it.Close()
		}, []string{`txid "tx": Done was called with 1 iterators open`, `txid "tx": Close was called after the simulator's Done`}},
		{"closed twice", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			it := openRange(t, sim)
			it.Close()
			it.Close()
			sim.Done()
		}, []string{`txid "tx": an iterator was closed twice`}},
		{"Next after Close", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			it := openRange(t, sim)
			it.Close()
			_, _ = it.Next(t.Context())
			sim.Done()
		}, []string{`txid "tx": Next was called on a closed iterator`}},
		{"Bookmark after Close", func(t *testing.T, _ *ledgertest.Faulty, sim ledger.Simulator) {
			it, err := sim.(full).ExecuteQuery(t.Context(), ns, everything, ledger.Page{Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			it.Close()
			_, _ = it.Bookmark(t.Context())
			sim.Done()
		}, []string{`txid "tx": Bookmark was called on a closed iterator`}},
		{"two at once", func(t *testing.T, f *ledgertest.Faulty, sim ledger.Simulator) {
			it := openRange(t, sim)
			f.On(ledgertest.Next, func(_ context.Context, call func() error) error {
				_ = sim.SetState(t.Context(), ns, "k", nil)
				return call()
			})
			_, _ = it.Next(t.Context())
			it.Close()
			sim.Done()
		}, []string{`txid "tx": SetState was called while Next had not returned`}},
		{"no such method", func(_ *testing.T, f *ledgertest.Faulty, sim ledger.Simulator) {
			f.On("GetStat", nil)
			sim.Done()
		}, []string{`On was given the method "GetStat"; use one of`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFaulty(t)
			test.use(t, f, newSimulator(t, f))
			got := f.Violations()
			if len(got) != len(test.want) {
				t.Fatalf("violations are %q, want %q", got, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("violation is %q, want %q", got[i], want)
				}
			}
			if c := f.Counts(); c.Simulators != c.Done || c.Iterators != c.Closed {
				t.Errorf("counts are %+v", c)
			}
		})
	}
}

// record stands in for the test that Check fails.
type record struct {
	testing.TB
	failures int
}

func (*record) Helper()                 {}
func (r *record) Error(...any)          { r.failures++ }
func (r *record) Errorf(string, ...any) { r.failures++ }

func TestCheckFindsLeaks(t *testing.T) {
	f := newFaulty(t)
	sim := newSimulator(t, f)
	it := openRange(t, sim)
	r := &record{TB: t}
	f.Check(r)
	if r.failures != 2 {
		t.Errorf("a simulator and an iterator are open, and Check finds %d faults", r.failures)
	}
	it.Close()
	sim.Done()
	f.Check(t)
}

// These are simulators without optional interfaces, with a history only, and with something else only.
type (
	plain       struct{ ledger.Simulator }
	withHistory struct {
		ledger.Simulator
		ledger.HistoryReader
	}
	withMetadata struct {
		ledger.Simulator
		ledger.MetadataState
	}
)

type plainLedger struct{ ledger.Ledger }

func (l plainLedger) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	sim, err := l.Ledger.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	return plain{sim}, nil
}

// ledgerOf makes simulators of the reference's.
type ledgerOf struct {
	ledger.Ledger
	wrap func(full) ledger.Simulator
}

func (l ledgerOf) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	sim, err := l.Ledger.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	return l.wrap(sim.(full)), nil
}

func TestOptionalInterfaces(t *testing.T) {
	inner := reference(t).Ledger
	for name, test := range map[string]struct {
		ledger                   ledger.Ledger
		history, metadata, isAll bool
	}{
		"all":      {inner, true, true, true},
		"none":     {plainLedger{inner}, false, false, false},
		"history":  {ledgerOf{inner, func(s full) ledger.Simulator { return withHistory{s, s} }}, true, false, false},
		"metadata": {ledgerOf{inner, func(s full) ledger.Simulator { return withMetadata{s, s} }}, false, false, false},
	} {
		sim := newSimulator(t, ledgertest.NewFaulty(test.ledger))
		_, history := sim.(ledger.HistoryReader)
		_, metadata := sim.(ledger.MetadataState)
		_, isAll := sim.(full)
		if history != test.history || metadata != test.metadata || isAll != test.isAll {
			t.Errorf("%s: shows a history: %v, metadata: %v, all: %v", name, history, metadata, isAll)
		}
		if _, got := ledger.Unwrap(sim).(ledger.MetadataState); got != (test.isAll || name == "metadata") {
			t.Errorf("%s: what is wrapped has metadata: %v", name, got)
		}
		sim.Done()
	}
	if own := (plain{}); ledger.Unwrap(own) != ledger.Simulator(own) {
		t.Error("Unwrap of a simulator that is not wrapped is another one")
	}
}

// A panic does not leave the simulator marked as in use.
func TestPanicEndsCall(t *testing.T) {
	f := newFaulty(t)
	sim := newSimulator(t, f)
	f.On(ledgertest.SetState, ledgertest.Panic("boom"))
	if panics(func() { _ = sim.SetState(t.Context(), ns, "k", nil) }) != "boom" {
		t.Error("no panic")
	}
	sim.Done()
	f.Check(t)
}

func ExampleFaulty() {
	l, err := kvledger.NewProvider(memory.New()).Open(context.Background(), "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	f := ledgertest.NewFaulty(l)
	f.On(ledgertest.GetState, ledgertest.AfterCalls(1, ledgertest.Fail(errors.New("disk on fire"))))
	sim, err := f.NewSimulator(context.Background(), "tx1")
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_, err := sim.GetState(context.Background(), "asset", "a1")
		fmt.Println("GetState:", err)
	}
	sim.Done()
	sim.Done()
	fmt.Println(f.Calls(ledgertest.GetState), "calls;", f.Violations())
	// Output:
	// GetState: <nil>
	// GetState: disk on fire
	// 2 calls; [txid "tx1": Done was called after the simulator's Done]
}

// A Faulty shows definitions of collections where the ledger that it wraps knows them.
func TestDefinitions(t *testing.T) {
	f := newFaulty(t)
	sim := newSimulator(t, f)
	defer sim.Done()
	definitions, ok := sim.(ledger.CollectionConfigs)
	if !ok {
		t.Fatal("the simulator doesn't know definitions")
	}
	if c, err := definitions.GetCollectionConfig(t.Context(), ns, coll); c != nil || err != nil {
		t.Errorf("got %+v, %v", c, err)
	}
	f.On(ledgertest.GetCollectionConfig, ledgertest.Fail(errFault))
	if _, err := definitions.GetCollectionConfig(t.Context(), ns, coll); !errors.Is(err, errFault) {
		t.Errorf("error is %v", err)
	}
}
