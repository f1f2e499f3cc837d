package chaincodetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Value is what a ledger has of a key. Its methods say what the test expects of it.
type Value struct {
	// Key is the key. Collection is the collection that it is in, if any.
	Key, Collection string
	// Present says that the key is there. Bytes is its value, which must not be modified.
	Present bool
	Bytes   []byte

	net       *Net
	chaincode string
}

// State returns what a chaincode has of a key, without asking the chaincode.
//
//	net.State("basic", "a1").Is(Asset{ID: "a1", Owner: "bob"})
func (n *Net) State(chaincode, key string) *Value {
	n.t.Helper()
	n.want(chaincode, "")
	v := &Value{Key: key, net: n, chaincode: chaincode}
	s, err := n.content().ledger().KeyState(context.Background(), chaincode, key)
	if err != nil {
		n.fatal("State(%q, %q): %v", chaincode, key, err)
	}
	if s != nil {
		v.Present, v.Bytes = true, s.Value
	}
	return v
}

// Private returns what a collection of a chaincode has of a key. It doesn't ask who may see it.
func (n *Net) Private(chaincode, collection, key string) *Value {
	n.t.Helper()
	if collection == "" {
		n.fatal("Private(%q, %q, %q): want a collection", chaincode, collection, key)
	}
	n.want(chaincode, collection)
	v := &Value{Key: key, Collection: collection, net: n, chaincode: chaincode}
	s, err := n.content().ledger().PrivateKeyState(context.Background(), chaincode, collection, key)
	if err != nil {
		n.fatal("Private(%q, %q, %q): %v", chaincode, collection, key, err)
	}
	if s != nil && s.HasValue {
		v.Present, v.Bytes = true, s.Value
	}
	return v
}

// want fails the test unless a chaincode is deployed, with a collection if one is named: what isn't there would have no keys, and
// an expectation that a key is absent would pass.
func (n *Net) want(chaincode, collection string) {
	n.t.Helper()
	d := n.deployed.find(chaincode)
	if d == nil {
		n.fatal("no chaincode %q is deployed%s", chaincode, n.deployed.hint())
		return
	}
	if collection == "" {
		return
	}
	names := n.collections(chaincode)
	if !slices.Contains(names, collection) {
		n.fatal("chaincode %s has no collection %q; there is %s", chaincode, collection, strings.Join(names, ", "))
	}
}

// collections are those of a chaincode that is deployed, the implicit ones of organizations included.
func (c *core) collections(chaincode string) []string {
	var names []string
	for _, coll := range c.deployed.find(chaincode).definition.Collections {
		names = append(names, coll.Name)
	}
	for _, mspID := range c.settings.organizations {
		names = append(names, ledger.ImplicitCollectionPrefix+mspID)
	}
	return names
}

// content is what the channel's ledger has. Chaincode isn't asked.
type content struct{ n *Net }

func (n *Net) content() content { return content{n} }

// ledger returns the channel's ledger, which is there.
func (c content) ledger() *kvledger.Ledger {
	n := c.n
	n.t.Helper()
	l, err := n.backend.ledger(context.Background(), n.channel, n.mspID)
	if err != nil {
		n.fatal("open the ledger: %v", err)
	}
	return l
}

func (v *Value) name() string {
	name := v.chaincode + " has of " + showKey(v.Key)
	if v.Collection != "" {
		name += " in collection " + v.Collection
	}
	return name
}

// fail fails the test: first what was expected, then all that is known of how the key came to be what it is.
func (v *Value) fail(what string, details ...string) {
	v.net.t.Helper()
	text := strings.Join(append([]string{v.name() + " " + what}, details...), "\n")
	v.net.t.Fatalf("%s%s", text, v.net.recent.origin(v.net.channel, v.chaincode, v.Collection, v.Key))
}

// Is expects a value. want is converted as arguments are, and equal JSON is equal. With Fields, other fields may be there.
func (v *Value) Is(want any) *Value {
	v.net.t.Helper()
	if !v.Present {
		v.fail("nothing, want "+showAny(want), v.others())
	}
	lines, err := mismatch(want, v.Bytes)
	if err != nil {
		v.net.fatal("%s: %v", v.name(), err)
	}
	if len(lines) > 0 {
		v.fail("not what was expected", indent(lines))
	}
	return v
}

func showAny(want any) string {
	if f, ok := want.(Fields); ok {
		return asJSON(map[string]any(f))
	}
	b, err := toBytes(want)
	if err != nil {
		return fmt.Sprint(want)
	}
	return show(b)
}

// others says which keys there are, for a test that has looked for another one.
func (v *Value) others() string {
	const few = 10
	state, err := v.net.content().read(v.chaincode, v.Collection, few+1)
	if err != nil || len(state) == 0 {
		return "    there are no keys"
	}
	keys := sortedKeys(state, nil)
	more := ""
	if len(keys) > few {
		keys, more = keys[:few], ", …"
	}
	return "    there are " + showKeys(keys) + more
}

// Absent expects that the key isn't there.
func (v *Value) Absent() *Value {
	v.net.t.Helper()
	if v.Present {
		v.fail(show(v.Bytes) + ", want nothing")
	}
	return v
}

// Into decodes the value, which must be JSON. into points to where it goes.
func (v *Value) Into(into any) *Value {
	v.net.t.Helper()
	if !v.Present {
		v.fail("nothing", v.others())
	}
	if err := json.Unmarshal(v.Bytes, into); err != nil {
		v.fail(fmt.Sprintf("what can't be decoded into a %T: %v", into, err), "    it is "+show(v.Bytes))
	}
	return v
}

// Modification is one entry of a key's history.
type Modification struct {
	TxID string
	// Time is the timestamp of the transaction.
	Time time.Time
	// Deleted says that the transaction has deleted the key. Otherwise Value is what it has written.
	Deleted bool
	Value   []byte
}

// History returns what valid transactions have done to a key. The newest comes first.
func (n *Net) History(chaincode, key string) []Modification {
	n.t.Helper()
	n.want(chaincode, "")
	var all []Modification
	err := n.content().reading(func(ctx context.Context, sim ledger.Simulator) error {
		it, err := sim.(ledger.HistoryReader).GetHistoryForKey(ctx, chaincode, key)
		if err != nil {
			return err
		}
		defer it.Close()
		for {
			m, err := it.Next(ctx)
			if m == nil || err != nil {
				return err
			}
			all = append(all, Modification{TxID: m.TxID, Time: m.Timestamp, Deleted: m.IsDelete, Value: m.Value})
		}
	})
	if err != nil {
		n.fatal("History(%q, %q): %v", chaincode, key, err)
	}
	return all
}

// KV is a key with its value.
type KV struct {
	Key   string
	Value []byte
}

// Query returns the keys of a chaincode whose values match a rich query, in the language of CouchDB. selector is a whole query, as
// text, or a value that becomes one as JSON.
func (n *Net) Query(chaincode string, selector any) []KV {
	n.t.Helper()
	n.want(chaincode, "")
	var all []KV
	query, err := toBytes(selector)
	if err == nil {
		err = n.content().reading(func(ctx context.Context, sim ledger.Simulator) error {
			it, err := sim.(ledger.RichQuerier).ExecuteQuery(ctx, chaincode, string(query), ledger.Page{})
			if err != nil {
				return err
			}
			defer it.Close()
			all, err = collect(ctx, it)
			return err
		})
	}
	if err != nil {
		n.fatal("Query(%q, %s): %v", chaincode, query, err)
	}
	return all
}

// collect reads an iterator to its end.
func collect(ctx context.Context, it ledger.Iterator) ([]KV, error) {
	var all []KV
	for {
		kv, err := it.Next(ctx)
		if kv == nil || err != nil {
			return all, err
		}
		all = append(all, KV{Key: kv.Key, Value: kv.Value})
	}
}

// reading calls f with a simulator on what is committed.
func (c content) reading(f func(ctx context.Context, sim ledger.Simulator) error) error {
	c.n.t.Helper()
	ctx := context.Background()
	sim, err := c.ledger().NewSimulator(ctx, "chaincodetest")
	if err != nil {
		return err
	}
	defer sim.Done()
	return f(ctx, sim)
}

// read returns what a chaincode has, or one of its collections, up to so many keys. 0 is all.
func (c content) read(chaincode, collection string, limit int) (map[string][]byte, error) {
	c.n.t.Helper()
	all := map[string][]byte{}
	err := c.reading(func(ctx context.Context, sim ledger.Simulator) error {
		it, err := scan(ctx, sim, chaincode, collection)
		if err != nil {
			return err
		}
		defer it.Close()
		for limit == 0 || len(all) < limit {
			kv, err := it.Next(ctx)
			if kv == nil || err != nil {
				return err
			}
			all[kv.Key] = kv.Value
		}
		return nil
	})
	return all, errors.Wrap(err, "read the state")
}

func scan(ctx context.Context, sim ledger.Simulator, chaincode, collection string) (ledger.Iterator, error) {
	if collection == "" {
		return sim.GetStateRange(ctx, chaincode, ledger.Range{})
	}
	return sim.(ledger.PrivateState).GetPrivateDataRange(ctx, chaincode, collection, ledger.Range{})
}
