package kvledger_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// space is what keys are of: the public state, or a collection. What is said of metadata is said of both.
type space struct {
	put      func(key, value string) op
	get      func(keys ...string) op
	metadata func(key string, pairs ...string) op
	read     func(t *testing.T, l *kvledger.Ledger, key string) (value string, metadata map[string][]byte)
}

var spaces = map[string]space{
	"public": {put, get, setMetadata, func(t *testing.T, l *kvledger.Ledger, key string) (string, map[string][]byte) {
		sim := newSimulator(t, l, "read")
		defer sim.Done()
		m, err := sim.GetStateMetadata(t.Context(), ns, key)
		if err != nil {
			t.Fatal(err)
		}
		return state(t, l, key), m
	}},
	"private": {putPrivate, getPrivate, setPrivateMetadata, func(t *testing.T, l *kvledger.Ledger, key string) (string, map[string][]byte) {
		sim := newSimulator(t, l, "read")
		defer sim.Done()
		m, err := sim.GetPrivateDataMetadata(t.Context(), ns, coll, key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := sim.GetPrivateData(t.Context(), ns, coll, key)
		if err != nil {
			t.Fatal(err)
		}
		return string(value), m
	}},
}

func setMetadata(key string, pairs ...string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.SetStateMetadata(t.Context(), ns, key, metadataOf(pairs)); err != nil {
			t.Fatal(err)
		}
	}
}

func getMetadata(key string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if _, err := sim.GetStateMetadata(t.Context(), ns, key); err != nil {
			t.Fatal(err)
		}
	}
}

func metadataOf(pairs []string) map[string][]byte {
	m := map[string][]byte{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		m[name] = []byte(value)
	}
	return m
}

func show(m map[string][]byte) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, name+"="+string(m[name]))
	}
	return strings.Join(pairs, " ")
}

// TestMetadata commits one block after another, of transactions that are simulated at the block before it. k and m are
// there at first, m with metadata.
func TestMetadata(t *testing.T) {
	for name, s := range spaces {
		for _, test := range []struct {
			name   string
			blocks [][][]op
			codes  string // of the last block
			want   string // of k and m: value and metadata
		}{
			{"none", nil, "", "0[] 0[a=1]"},
			{"set", [][][]op{{{s.metadata("k", "b=2", "a=1")}}}, "[VALID]", "0[a=1 b=2] 0[a=1]"},
			{"the whole map is replaced", [][][]op{{{s.metadata("m", "b=2")}}}, "[VALID]", "0[] 0[b=2]"},
			{"empty deletes", [][][]op{{{s.metadata("m")}}}, "[VALID]", "0[] 0[]"},
			{"a value alone keeps it", [][][]op{{{s.put("m", "1")}}}, "[VALID]", "0[] 1[a=1]"},
			{"value and metadata", [][][]op{{{s.metadata("m", "b=2"), s.put("m", "1")}}}, "[VALID]", "0[] 1[b=2]"},
			{"value, and no metadata", [][][]op{{{s.metadata("m"), s.put("m", "1")}}}, "[VALID]", "0[] 1[]"},
			{"a new key", [][][]op{{{s.put("k", "")}}, {{s.put("k", "1"), s.metadata("k", "a=1")}}}, "[VALID]", "1[a=1] 0[a=1]"},
			{"a delete clears both", [][][]op{{{s.put("m", "")}}, {{s.put("m", "1")}}}, "[VALID]", "0[] 1[]"},
			{"a delete wins over metadata", [][][]op{{{s.put("m", ""), s.metadata("m", "b=2")}}}, "[VALID]", "0[] []"},
			{"an absent key", [][][]op{{{s.put("m", "")}}, {{s.metadata("m", "b=2")}}, {{s.put("m", "1")}}}, "[VALID]", "0[] 1[]"},
			{"deleted earlier in the block", [][][]op{{{s.put("m", "")}, {s.metadata("m", "b=2")}}}, "[VALID VALID]", "0[] []"},
			{"deleted and written in the block", [][][]op{{{s.put("m", "")}, {s.put("m", "1")}}}, "[VALID VALID]", "0[] 1[]"},
			{"written earlier in the block", [][][]op{{{s.put("m", "1")}, {s.metadata("m", "b=2")}}}, "[VALID VALID]", "0[] 1[b=2]"},
			{"written later in the block", [][][]op{{{s.metadata("m", "b=2")}, {s.put("m", "1")}}}, "[VALID VALID]", "0[] 1[b=2]"},
			{"deleted later in the block", [][][]op{{{s.metadata("m", "b=2")}, {s.put("m", "")}}}, "[VALID VALID]", "0[] []"},
			{"set twice in a block", [][][]op{{{s.metadata("m", "b=2")}, {s.metadata("m", "c=3")}}}, "[VALID VALID]", "0[] 0[c=3]"},
			{"the version is another one", [][][]op{{{s.metadata("k", "a=1")}, {s.get("k"), s.put("m", "1")}}}, "[VALID MVCC_READ_CONFLICT]", "0[a=1] 0[a=1]"},
			{"what does nothing conflicts with nothing", [][][]op{{{s.metadata("x", "a=1")}, {s.get("x"), s.put("m", "1")}}}, "[VALID VALID]", "0[] 1[a=1]"},
			{"an invalid transaction's", [][][]op{{{s.put("k", "1")}, {s.get("k"), s.metadata("m", "b=2")}}}, "[VALID MVCC_READ_CONFLICT]", "1[] 0[a=1]"},
		} {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				l := openMemory(t)
				commitResults(t, l, results(t, l, s.put("k", "0"), s.put("m", "0"), s.metadata("m", "a=1")))
				got := ""
				for _, block := range test.blocks {
					var all []*kvledger.Results
					for _, ops := range block {
						all = append(all, results(t, l, ops...))
					}
					got = fmt.Sprint(commitResults(t, l, all...))
				}
				if got != test.codes {
					t.Errorf("codes are %s, want %s", got, test.codes)
				}
				var values []string
				for _, key := range []string{"k", "m"} {
					value, m := s.read(t, l, key)
					values = append(values, fmt.Sprintf("%s[%s]", value, show(m)))
				}
				if got := strings.Join(values, " "); got != test.want {
					t.Errorf("k and m are %s, want %s", got, test.want)
				}
			})
		}
	}
}

// A transaction that read a key before its metadata was written conflicts with that, in a later block too, and by a
// range. Reading metadata is reading the key.
func TestMetadataBumpsVersion(t *testing.T) {
	for _, test := range []struct {
		read op
		want kvledger.ValidationCode
	}{{getMetadata("k"), mvcc}, {scan("k", "l", -1), phantom}} {
		l := openMemory(t)
		commit(t, l, simulate(t, l, put("k", "v")))
		read, write := simulate(t, l, test.read, put("x", "1")), simulate(t, l, setMetadata("k", "a=1"))
		if got := commit(t, l, read, write, read); !slices.Equal(got, codes(valid, valid, test.want)) {
			t.Errorf("codes are %v, want the last to be %v", got, test.want)
		}
		if got := commit(t, l, read); got[0] != test.want {
			t.Errorf("in a later block the code is %v, want %v", got[0], test.want)
		}
		if !bytes.Equal(simulate(t, l, get("k", "absent")), simulate(t, l, getMetadata("k"), getMetadata("absent"))) {
			t.Error("a read of metadata is not noted as a read of the key")
		}
	}
}

// No history is kept of metadata.
func TestMetadataHasNoHistory(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("k", "v")), simulate(t, l, setMetadata("k", "a=1")))
	commit(t, l, simulate(t, l, setMetadata("k", "a=2")))
	it, err := newSimulator(t, l, "read").GetHistoryForKey(t.Context(), ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for _, want := range []bool{true, false} {
		if m, err := it.Next(t.Context()); err != nil || (m != nil) != want {
			t.Errorf("history has %+v, %v", m, err)
		}
	}
}

func TestMetadataInRWSet(t *testing.T) {
	l := openMemory(t)
	kv := decode(t, simulate(t, l, setMetadata("k", "b=2", "a=1"), setMetadata("k2", "x=1"), setMetadata("a"), setMetadata("k2")))
	want := []*pb.KVMetadataWrite{
		{Key: "a"}, {Key: "k", Entries: []*pb.KVMetadataEntry{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}}}, {Key: "k2"},
	}
	if got := fmt.Sprint(kv.MetadataWrites); got != fmt.Sprint(want) || len(kv.Reads)+len(kv.Writes) != 0 {
		t.Errorf("read/write set is %v, want %v", kv, want)
	}
	sim := newSimulator(t, l, "tx")
	err := sim.SetStateMetadata(t.Context(), ns, "k", map[string][]byte{"\xff": nil})
	wantError(t, "name", err, "invalid metadata name [ff], must be a UTF-8 string")
	err = sim.SetPrivateDataMetadata(t.Context(), ns, coll, "k", map[string][]byte{"\xff": nil})
	wantError(t, "private name", err, "invalid metadata name [ff], must be a UTF-8 string")
}
