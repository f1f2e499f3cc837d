package kvledger_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const policyName = "VALIDATION_PARAMETER"

func interest(t testing.TB, l *kvledger.Ledger, ops ...op) (*ledger.Interest, error) {
	t.Helper()
	sim := newSimulator(t, l, "tx")
	defer sim.Done()
	for _, o := range ops {
		o(t, sim)
	}
	return sim.Interest(t.Context())
}

func policies(values ...string) [][]byte {
	var all [][]byte
	for _, v := range values {
		all = append(all, []byte(v))
	}
	return all
}

// What an endorser makes of it is tested in peer/endorser, for more combinations.
func TestInterest(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("a", "v"), put("b", "v"), put("c", "v"), setMetadata("a", policyName+"=p1"),
		setMetadata("b", policyName+"=p1", "other=x"), setMetadata("c", "other=x")))
	r := results(t, l, putPrivate("a", "v"), setPrivateMetadata("a", policyName+"=p2"))
	commitResults(t, l, r)
	other := func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.SetState(t.Context(), "a-namespace", "a", []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	one := func(n ledger.NamespaceInterest) ledger.Interest {
		n.Name = ns
		return ledger.Interest{Namespaces: []ledger.NamespaceInterest{n}}
	}
	written := func(w ...ledger.WrittenKeys) ledger.Interest { return one(ledger.NamespaceInterest{Written: w}) }
	for _, c := range []struct {
		name string
		ops  []op
		want ledger.Interest
	}{
		{"nothing", nil, ledger.Interest{}},
		{"a read", []op{get("a")}, one(ledger.NamespaceInterest{})},
		{"a range that was opened", []op{scan("", "", 0)}, ledger.Interest{}},
		{"a range that was read", []op{scan("", "", 1)}, one(ledger.NamespaceInterest{})},
		{"a read of metadata", []op{getMetadata("a")}, one(ledger.NamespaceInterest{})},
		{"a write", []op{put("x", "v")}, written(ledger.WrittenKeys{Others: true})},
		{"a write of a key with a policy", []op{put("a", "v")}, written(ledger.WrittenKeys{Policies: policies("p1")})},
		{"the same policy twice, in the order of keys", []op{put("b", "v"), del("a"), put("a", "v")}, written(ledger.WrittenKeys{Policies: policies("p1", "p1")})},
		{"metadata that is no policy", []op{put("c", "v")}, written(ledger.WrittenKeys{Others: true})},
		{"metadata of keys", []op{setMetadata("a"), setMetadata("x", policyName+"=new")}, written(ledger.WrittenKeys{Policies: policies("p1"), Others: true})},
		{"a private read", []op{getPrivate("a")}, one(ledger.NamespaceInterest{PrivateReads: []string{coll}})},
		{"a hash", []op{getHash("a")}, one(ledger.NamespaceInterest{})},
		{"private writes", []op{putPrivate("a", "v"), purge("x")}, written(ledger.WrittenKeys{Collection: coll, Policies: policies("p2"), Others: true})},
		{"private metadata", []op{setPrivateMetadata("a")}, written(ledger.WrittenKeys{Collection: coll, Policies: policies("p2")})},
		{"both", []op{putPrivate("a", "v"), put("x", "v")}, written(ledger.WrittenKeys{Others: true}, ledger.WrittenKeys{Collection: coll, Policies: policies("p2")})},
		{"two namespaces", []op{get("a"), other}, ledger.Interest{Namespaces: []ledger.NamespaceInterest{
			{Name: "a-namespace", Written: []ledger.WrittenKeys{{Others: true}}}, {Name: ns},
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := interest(t, l, c.ops...)
			if err != nil || !reflect.DeepEqual(*got, c.want) {
				t.Errorf("the interest is %+v (%v), want %+v", got, err, c.want)
			}
		})
	}
}

// The snapshot counts: what is committed meanwhile has no part in it. Asking changes nothing of the results.
func TestInterestOfSnapshot(t *testing.T) {
	l := openMemory(t)
	want := simulate(t, l, put("a", "v"))
	sim := newSimulator(t, l, "tx")
	put("a", "v")(t, sim)
	commit(t, l, simulate(t, l, put("a", "v"), setMetadata("a", policyName+"=p")))
	for range 2 {
		in, err := sim.Interest(t.Context())
		if err != nil || len(in.Namespaces[0].Written[0].Policies) > 0 || !in.Namespaces[0].Written[0].Others {
			t.Errorf("the interest is %+v (%v)", in, err)
		}
	}
	if r, err := sim.Results(t.Context()); err != nil || string(r.RWSet) != string(want) {
		t.Errorf("the results are %v (%v), want %x", r, err, want)
	}
	sim.Done()
	if in, err := sim.Interest(t.Context()); err == nil || !strings.Contains(err.Error(), "after calling Done()") {
		t.Errorf("after Done: %v, %v", in, err)
	}
}

// Small writes can't make a peer hold all the policies that the keys have.
func TestInterestTooLarge(t *testing.T) {
	l := openMemory(t)
	var writes []op
	for i := range 17 {
		key := fmt.Sprint("k", i)
		commit(t, l, simulate(t, l, put(key, "v"), setMetadata(key, policyName+"="+strings.Repeat("p", 1<<20))))
		writes = append(writes, put(key, "w"))
	}
	if in, err := interest(t, l, writes[:16]...); err != nil || len(in.Namespaces[0].Written[0].Policies) != 16 {
		t.Errorf("16 MiB: %v", err)
	}
	in, err := interest(t, l, writes...)
	if want := "read the policies of keys: those of the keys that the transaction writes have more than 16777216 bytes"; err == nil || err.Error() != want {
		t.Errorf("17 MiB: %v (%v), want %s", err, in != nil, want)
	}
}
