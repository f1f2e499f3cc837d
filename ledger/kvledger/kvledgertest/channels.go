package kvledgertest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// channel is one of several channels in a store, and what it should have.
type channel struct {
	id     string
	height uint64 // at the end
	ledger *kvledger.Ledger
	model  *model
}

// testChannels commits in three channels of a store by turns. Each must look as if it were alone, even to another provider.
// The channels' names begin with one another's, and they use the same keys and transaction IDs.
func testChannels(t *testing.T, s store.Store) {
	channels := []*channel{{id: "c", height: 6}, {id: "ch", height: 4}, {id: "ch2", height: 5}}
	provider := kvledger.NewProvider(s)
	for _, c := range channels {
		var err error
		if c.ledger, err = provider.Open(t.Context(), c.id); err != nil {
			t.Fatal(err)
		}
		c.model = newModel()
	}
	for block := range uint64(6) {
		for _, c := range channels {
			if block < c.height {
				c.commit(t, block)
			}
		}
	}
	ids := []string{}
	for _, c := range channels {
		c.check(t)
		c.ledger = OpenLedger(t, s, c.id)
		c.check(t)
		ids = append(ids, c.id)
	}
	unused := &channel{id: "ch1", ledger: OpenLedger(t, s, "ch1"), model: newModel()}
	unused.check(t)
	if got, err := provider.Channels(t.Context()); err != nil || !slices.Equal(got, ids) {
		t.Errorf("channels are %q, %v, want %q", got, err, ids)
	}
}

// commit commits a block of one transaction, which must see what the model says.
func (c *channel) commit(t *testing.T, block uint64) {
	t.Helper()
	tx, err := channelTransaction(t.Context(), c.ledger, c.id, block)
	if err != nil {
		t.Fatal(err)
	}
	at := kvledger.Version{Block: block}
	if !c.model.agrees(tx.looks, at) {
		t.Errorf("channel %s, block %d: %v, from a model that says otherwise", c.id, block, tx)
	}
	code, err := c.ledger.CommitTx(t.Context(), kvledger.Transaction{
		TxID: tx.id, Timestamp: tx.at, RWSet: tx.results.RWSet, PrivateRWSet: tx.results.PrivateRWSet,
	})
	if code != kvledger.Valid || err != nil {
		t.Fatalf("channel %s, block %d: %v, %v", c.id, block, code, err)
	}
	c.model.apply(tx, at)
}

// channelTransaction looks at everything, and writes values that name the channel.
func channelTransaction(ctx context.Context, l *kvledger.Ledger, channelID string, block uint64) (*transaction, error) {
	tx := &transaction{
		id: fmt.Sprint("tx", block), at: time.Unix(int64(block), 0).UTC(), writes: map[place]string{}, metadata: map[place]string{},
	}
	sim, err := Simulate(ctx, l, tx.id)
	if err != nil {
		return nil, err
	}
	defer sim.Done()
	for _, l := range []look{
		{kind: getValue, keys: []string{"k"}}, {kind: getMetadata, keys: []string{"k"}}, {kind: getPrivate, keys: []string{"k"}},
		{kind: getRange, keys: []string{"", ""}, n: math.MaxInt32}, {kind: getHistory, keys: []string{"k"}},
	} {
		if err := tx.look(ctx, sim, l); err != nil {
			return nil, err
		}
	}
	for _, private := range []bool{false, true} {
		p, own := place{private, "k"}, place{private, fmt.Sprint(channelID, block)}
		tx.metadata[p] = fmt.Sprintf("meta %s %d", channelID, block)
		if err := setMetadata(ctx, sim, p, map[string][]byte{metaName: []byte(tx.metadata[p])}); err != nil {
			return nil, err
		}
		for _, p := range []place{p, own} {
			tx.writes[p] = fmt.Sprintf("value %s %d", channelID, block)
			if err := set(ctx, sim, p, tx.writes[p]); err != nil {
				return nil, err
			}
		}
	}
	tx.results, err = sim.Results(ctx)
	return tx, err
}

// check checks that a channel has what the model has, and nothing else.
func (c *channel) check(t *testing.T) {
	t.Helper()
	if got, err := c.ledger.Height(t.Context()); got != c.height || err != nil {
		t.Errorf("channel %s: height is %d, %v, want %d", c.id, got, err, c.height)
	}
	sim, err := Simulate(t.Context(), c.ledger, "read")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	for _, look := range everything(c.model) {
		want := c.model.answer(look, kvledger.Version{Block: c.height})
		if got, err := look.ask(t.Context(), sim); err != nil || got != want {
			t.Errorf("channel %s: %v is %.300q, %v, want %.300q", c.id, look, got, err, want)
		}
	}
	for n := range c.height + 2 { // others have more blocks
		id := fmt.Sprint("tx", n)
		tx, err := c.ledger.Transaction(t.Context(), id)
		if found := err == nil; found != (n < c.height) || found && tx.Version.Block != n {
			t.Errorf("channel %s: transaction %s is %+v, %v", c.id, id, tx, err)
		}
		b, err := c.ledger.Block(t.Context(), n)
		if found := err == nil; found != (n < c.height) || found && (len(b.Transactions) != 1 || b.Transactions[0].TxID != id) {
			t.Errorf("channel %s: block %d is %+v, %v", c.id, n, b, err)
		}
	}
}

// everything returns questions about all that a model knows. It adds a key that a channel should not have if no model knows
// of it.
func everything(m *model) []look {
	all := []look{
		{kind: getRange, keys: []string{"", ""}, n: math.MaxInt32}, {kind: getPrivateRange, keys: []string{"", ""}, n: math.MaxInt32},
	}
	places := maps.Clone(m.changes)
	places[place{key: "k"}], places[place{true, "k"}] = m.changes[place{key: "k"}], m.changes[place{true, "k"}]
	for p := range places {
		kinds := []kind{getValue, getMetadata, getHistory}
		if p.private {
			kinds = []kind{getPrivate, getPrivateHash, getPrivateMetadata}
		}
		for _, k := range kinds {
			all = append(all, look{kind: k, keys: []string{p.key}})
		}
	}
	return all
}
