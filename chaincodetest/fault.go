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

// Fault is something that goes wrong when chaincode asks its peer for something. One of Fail, Delay, Lose, Double and Cut says what.
type Fault struct {
	// Chaincode is the name of the chaincode whose requests are meant. Empty: those of any.
	Chaincode string
	// Request is the type of the requests that are meant, such as GET_STATE or QUERY_STATE_NEXT. Empty: any.
	Request string
	// Nth is which of these goes wrong, from 1 on. 0: each of them.
	Nth int

	// Fail refuses the request with this text.
	Fail string
	// Delay serves it that much later.
	Delay time.Duration
	// Lose never answers it. The transaction then ends as if its time were up.
	Lose bool
	// Double has the peer receive it twice. A peer serves the first one only. It doesn't work for chaincode that dials the peer.
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
}

type injected struct {
	Fault
	typ  pb.ChaincodeMessage_Type
	any  bool
	seen int
	done bool // it has happened
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
	i := &injected{Fault: f, typ: pb.ChaincodeMessage_Type(typ), any: f.Request == ""}
	n.faults.mu.Lock()
	n.faults.all = append(n.faults.all, i)
	n.faults.lost, n.faults.cut = n.notes.giveUp, n.backend.cut
	n.faults.mu.Unlock()
	remove = func() {
		n.faults.mu.Lock()
		defer n.faults.mu.Unlock()
		n.faults.all = slices.DeleteFunc(n.faults.all, func(other *injected) bool { return other == i })
	}
	t := n.t
	t.Cleanup(func() {
		t.Helper()
		remove()
		if n.faults.never(i) && !t.Failed() {
			t.Errorf("the fault never happened: %s", i)
		}
	})
	return remove
}

// String says which requests are meant.
func (i *injected) String() string {
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
		if !i.any && i.typ != typ || i.Chaincode != "" && i.Chaincode != chaincode || i.Double != received {
			continue
		}
		if i.Nth != 0 && i.seen >= i.Nth {
			continue // it is used up
		}
		if f.met == nil {
			f.met = map[string]bool{}
		}
		f.met[txID] = true
		if i.seen++; i.Nth == 0 || i.Nth == i.seen {
			i.done = true
			return i
		}
	}
	return nil
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
		t := time.NewTimer(i.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return next(ctx)
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
