package handler_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// acl refuses with its text, or allows if it has none.
type acl string

func (a acl) CheckACL(_ context.Context, resource, channelID string, sp *pb.SignedProposal) error {
	switch {
	case sp == nil:
		return errors.New("the hook was asked without a proposal")
	case a == "":
		return nil
	}
	return errors.Errorf("%s: %s on %s", string(a), resource, channelID)
}

// collections are allowed to be read if there is an r, and to be written if there is a w. "error" is an error.
type collections string

func (c collections) CollectionPermission(_ context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	if c == "error" {
		return handler.CollectionPermission{}, errors.Errorf("collection %s/%s/%s could not be found", r.ChannelID, r.Namespace, r.Collection)
	}
	return handler.CollectionPermission{Read: strings.Contains(string(c), "r"), Write: strings.Contains(string(c), "w")}, nil
}

// capabilities are words: endorsement, purge. "none" is a channel without configuration.
type capabilities string

func (c capabilities) ApplicationCapabilities(context.Context, string) (handler.ApplicationCapabilities, error) {
	if c == "none" {
		return handler.ApplicationCapabilities{}, handler.ErrUnknownChannel
	}
	words := strings.Split(string(c), ",")
	return handler.ApplicationCapabilities{
		KeyLevelEndorsement: slices.Contains(words, "endorsement"),
		PurgePrivateData:    slices.Contains(words, "purge"),
	}, nil
}

// counting counts what a CollectionStore is asked, and panics if it is told to.
type counting struct {
	asked []handler.CollectionRequest
	panic bool
}

func (c *counting) CollectionPermission(_ context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	if c.panic {
		panic("secret")
	}
	c.asked = append(c.asked, r)
	return handler.CollectionPermission{Read: true, Write: true}, nil
}

// The CollectionStore is asked once for each collection of a transaction, with what it needs to know.
func TestCollectionPermissionIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		store := &counting{}
		p.cfg.CollectionStore = store
		c := p.register("cc:1")
		for _, txID := range []string{"tx1", "tx2"} {
			x := c.begin(txID)
			for _, collection := range []string{"c1", "c2", "c1", "c2"} {
				c.Deliver(in(txID, getPrivate(collection, "k")))
				c.want(pb.ChaincodeMessage_RESPONSE, txID)
			}
			c.finish(t, txID, x)
		}
		c.stop()
		p.check()
		var asked []string
		for _, r := range store.asked {
			if r.SignedProposal == nil || r.Simulator == nil {
				t.Errorf("asked without proposal or simulator: %+v", r)
			}
			asked = append(asked, strings.Join([]string{r.ChannelID, r.TxID, r.Namespace, r.Collection}, " "))
		}
		if want := []string{"ch tx1 cc c1", "ch tx1 cc c2", "ch tx2 cc c1", "ch tx2 cc c2"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

// F82: a hook that panics is confined to its transaction.
func TestHookPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.CollectionStore = &counting{panic: true}
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.say("tx1", getPrivate("c", "k"), "panic during execution")
		c.complete("tx1")
		x.want(t, handler.ErrPoisoned)
		y := c.begin("tx2")
		c.finish(t, "tx2", y)
		c.stop()
		p.check()
	})
}

// I8: what the CollectionStore refuses is not remembered, since chaincode can make up any number of names.
func TestRefusedCollectionsAreNotKept(t *testing.T) {
	p := newPeer(t)
	p.cfg.CollectionStore = nil
	c := p.register("cc:1")
	x := c.begin("tx1")
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc) //nolint:gosec // far from its limit
	}
	before := heap()
	for i := range 100 {
		c.Deliver(in("tx1", getPrivate(fmt.Sprint(i)+strings.Repeat("c", 1<<20), "k")))
		c.want(pb.ChaincodeMessage_ERROR, "tx1")
	}
	if grown := (heap() - before) >> 20; grown > 20 {
		t.Errorf("%d MiB are held after 100 refused requests of 1 MiB", grown)
	}
	c.finish(t, "tx1", x)
	c.stop()
	p.check()
}

// spy tells of the last range that was asked for.
type spy struct {
	ledger.Simulator
	last ledger.Range
}

func (s *spy) GetStateRange(ctx context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	s.last = r
	return s.Simulator.GetStateRange(ctx, namespace, r)
}

// F75: the ledger is told that a range is paginated, also where only a bookmark says so.
func TestBookmarkAlonePaginates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.rows(10)
		p.cfg.TotalQueryLimit = 7
		c := p.register("cc:1")
		params := p.simulate("tx1", channel)
		s := &spy{Simulator: params.Simulation.Simulator()}
		params.Simulation = handler.NewSimulation(s)
		x := c.execute(context.Background(), params)
		c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
		for _, page := range []*pb.QueryMetadata{{Bookmark: "k001"}, {PageSize: 100}} {
			c.Deliver(in("tx1", message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Metadata: marshal(page)})))
			c.wantPage("tx1", 7, false)
			if s.last.PageSize != 7 {
				t.Errorf("the ledger was asked for %+v", s.last)
			}
		}
		c.finish(t, "tx1", x)
		c.stop()
		p.check()
	})
}

// worst is an error that panics when it is asked for its text.
type worst struct{}

func (worst) Error() string { panic("secret") }

// failsSecond is a simulator whose second write fails.
type failsSecond struct {
	ledger.Simulator
	n int
}

func (f *failsSecond) SetState(ctx context.Context, namespace, key string, value []byte) error {
	if f.n++; f.n == 2 {
		return worst{}
	}
	return f.Simulator.SetState(ctx, namespace, key, value)
}

// I9: what a ledger fails a batch with is confined to the transaction, text and all.
func TestBatchFailsWithPanickingError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.register("cc:1")
		params := p.simulate("tx1", channel)
		params.Simulation = handler.NewSimulation(&failsSecond{Simulator: params.Simulation.Simulator()})
		x := c.execute(context.Background(), params)
		c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
		put := &pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: "a"}
		c.say("tx1", writeBatch(put, put), "panic during execution")
		c.Deliver(in("tx1", getState("k")))
		c.wantError("tx1", failed(getState("k"), "tx1", "transaction cannot succeed: panic during execution"))
		c.complete("tx1")
		x.want(t, handler.ErrPoisoned)
		if got := x.err.Error(); got != "transaction cannot succeed: panic during execution" {
			t.Errorf("Execute returned %q", got)
		}
		c.stop()
		p.check()
	})
}
