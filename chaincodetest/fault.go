package chaincodetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Fault is something that goes wrong when chaincode asks its peer for something, or when a peer commits a block. One of Fail, Delay,
// Lose, Double and Cut says what.
type Fault struct {
	// Chaincode is the name of the chaincode whose requests are meant. Empty: those of any.
	Chaincode string
	// Request is the type of the requests that are meant, such as GET_STATE or QUERY_STATE_NEXT. Empty: any.
	Request string
	// Commit says that it is a ledger that goes wrong: it is to commit a block, and nothing is asked by chaincode. Only Fail, Delay and
	// Lose are for that. A transaction of that block fails, and nobody knows yet what becomes of it: the peer tries again, and commits
	// it when the fault has been removed. Without signatures nobody tries again.
	Commit bool
	// MSPID is the organization whose peer's ledger goes wrong. Empty: that of any.
	MSPID string
	// Nth is which of these goes wrong, from 1 on. 0: each of them.
	Nth int

	// Fail refuses the request with this text.
	Fail string
	// Delay serves it that much later.
	Delay time.Duration
	// Lose never answers it. The transaction then ends as if its time were up. A commit hangs until the fault is removed.
	Lose bool
	// Double has the peer receive it twice. A peer serves the first one only.
	Double bool
	// Cut ends the chaincode's stream. The next transaction starts the chaincode again.
	Cut bool
}

// faults are what has been injected.
type faults struct {
	mu   sync.Mutex
	all  []*injected
	lost func(txID string) (ended <-chan struct{})
	cut  func(chaincodeID string)
	met  map[string]bool // transactions whose requests have counted

	waiting map[*expiring]bool // those who wait for a commit
	hanging int                // commits that hang
}

type injected struct {
	Fault
	typ  pb.ChaincodeMessage_Type
	any  bool
	seen int
	done bool          // it has happened
	over chan struct{} // closed when it is removed
}

// Inject has something go wrong from now on, until the function that it returns is called, or the test ends. A transaction with
// requests that are meant, or counted, runs once only. A fault that never happens fails the test at its end.
//
//	defer net.Inject(chaincodetest.Fault{Request: "GET_STATE", Nth: 2, Fail: "disk is gone"})()
func (n *Net) Inject(f Fault) (remove func()) {
	n.t.Helper()
	typ, known := pb.ChaincodeMessage_Type_value[f.Request]
	if !known && f.Request != "" {
		n.fatal("Inject: there is no request %q: want a type of message such as GET_STATE", f.Request)
	}
	if f.Fail == "" && f.Delay == 0 && !f.Lose && !f.Double && !f.Cut {
		n.fatal("Inject: say what goes wrong: Fail, Delay, Lose, Double or Cut")
	}
	if known && !request(pb.ChaincodeMessage_Type(typ)) {
		n.fatal("Inject: %s is no request of chaincode: want a type of message such as GET_STATE", f.Request)
	}
	if f.Chaincode != "" {
		n.want(f.Chaincode, "")
	}
	if f.Commit && (f.Request != "" || f.Chaincode != "" || f.Double || f.Cut) || !f.Commit && f.MSPID != "" {
		n.fatal("Inject: a commit is of an MSPID, and has no Request, Chaincode, Double and Cut")
	}
	if f.MSPID != "" {
		n.Of(f.MSPID)
	}
	i := &injected{Fault: f, typ: pb.ChaincodeMessage_Type(typ), any: f.Request == "", over: make(chan struct{})}
	n.faults.add(i, n)
	remove = sync.OnceFunc(func() {
		n.t.Helper()
		n.faults.remove(i)
		if f.Commit {
			settle(n)
		}
	})
	t := n.t
	t.Cleanup(func() {
		t.Helper()
		remove()
		if n.faults.never(i) && !t.Failed() {
			t.Errorf("the fault never happened: %s%s", i, n.latest())
		}
	})
	return remove
}

func (f *faults) add(i *injected, n *Net) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, i)
	f.lost, f.cut = n.notes.giveUp, n.backend.cut
}

func (f *faults) remove(i *injected) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = slices.DeleteFunc(f.all, func(other *injected) bool { return other == i })
	close(i.over)
}

// String says which requests are meant.
func (i *injected) String() string {
	if i.Commit {
		return fmt.Sprintf("commit of a block, of which there were %d (Nth is %d)", i.seen, i.Nth)
	}
	request, chaincode := i.Request, i.Chaincode
	if request == "" {
		request = "any request"
	}
	if chaincode == "" {
		chaincode = "any chaincode"
	}
	return fmt.Sprintf("%s of %s, of which there were %d (Nth is %d)", request, chaincode, i.seen, i.Nth)
}

// never says that a fault has not happened.
func (f *faults) never(i *injected) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !i.done
}

// touched says whether a run of a transaction had requests that a fault has counted, and forgets it.
func (f *faults) touched(txID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	met := f.met[txID]
	delete(f.met, txID)
	return met
}

// next returns the fault that a request meets, or nil. Requests are doubled where they are received, and all else happens where they
// are served.
func (f *faults) next(txID, chaincode string, typ pb.ChaincodeMessage_Type, received bool) *injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		if i.Commit || !i.any && i.typ != typ || i.Chaincode != "" && i.Chaincode != chaincode || i.Double != received {
			continue
		}
		if i.Nth != 0 && i.seen >= i.Nth {
			continue // it is used up
		}
		if f.met == nil {
			f.met = map[string]bool{}
		}
		f.met[txID] = true
		if i.happens() {
			return i
		}
	}
	return nil
}

// happens counts one that is meant, and reports whether it goes wrong.
func (i *injected) happens() bool {
	i.seen++
	now := i.Nth == 0 || i.Nth == i.seen
	i.done = i.done || now
	return now
}

// intercept is a handler.RequestInterceptor.
func (f *faults) intercept(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
	i := f.next(r.Transaction.TxID, r.Transaction.Chaincode, r.Type, false)
	switch {
	case i == nil:
	case i.Fail != "":
		return nil, errors.New(i.Fail)
	case i.Lose:
		<-f.lost(r.Transaction.TxID)
		return nil, context.DeadlineExceeded // nobody sees it any more
	case i.Cut:
		f.cut(r.Transaction.ChaincodeID)
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		if err := pause(ctx, i.Delay); err != nil {
			return nil, err
		}
	}
	return next(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveUp ends a running transaction, as if its time were up. The channel is closed when the peer has given it up, too. An answer
// that came before would count.
func (n *notes) giveUp(txID string) (ended <-chan struct{}) {
	c := n.find(txID)
	if c == nil {
		over := make(chan struct{})
		close(over)
		return over
	}
	c.expire()
	return c.ended
}
