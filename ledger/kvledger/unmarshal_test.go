package kvledger_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/threadtime"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// hostileRWSets are sets of n bytes or so that take long to be decoded.
func hostileRWSets(n int) map[string][]byte {
	field := func(b []byte, number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
	}
	namespace := func(kv []byte) []byte { return field(nil, 2, field(field(nil, 1, []byte(ns)), 2, kv)) }
	keys := func(number protowire.Number, entry func(key []byte) []byte) []byte {
		var b []byte
		for i := 0; len(b) < n; i++ {
			b = field(b, number, entry(fmt.Append(nil, i)))
		}
		return b
	}
	key := func(key []byte) []byte { return field(nil, 1, key) }
	hashed := func(kv []byte) []byte {
		return field(nil, 2, field(field(nil, 1, []byte(ns)), 3, field(field(nil, 1, []byte(coll)), 2, kv)))
	}
	return map[string][]byte{
		"empty namespaces":         bytes.Repeat(field(nil, 2, nil), n/2),
		"empty reads":              namespace(bytes.Repeat(field(nil, 1, nil), n/2)),
		"reads":                    namespace(keys(1, key)),
		"deletes":                  namespace(keys(3, key)),
		"reads of one range":       namespace(field(nil, 2, field(nil, 4, bytes.Repeat(field(nil, 1, nil), n/2)))),
		"metadata of one key":      namespace(field(nil, 4, append(key([]byte("k")), bytes.Repeat(field(nil, 2, nil), n/2)...))),
		"metadata of keys":         namespace(keys(4, key)),
		"hashed reads":             hashed(keys(1, key)),
		"hashed deletes":           hashed(keys(2, func(key []byte) []byte { return field(nil, 1, hash(key)) })),
		"hashed metadata":          hashed(keys(3, func(key []byte) []byte { return field(nil, 1, hash(key)) })),
		"namespaces":               keys(2, key),
		"fields that mean nothing": namespace(bytes.Repeat([]byte{0x98, 0x06, 0x01}, n/3)),
	}
}

// longForm is the variable that makes tests run at the size at which it hurts.
const longForm = "CCPEER_LONG"

// F169: the decoding of a read/write set of 100 MiB that consists of millions of entries looks at its context all the time. A
// commit ends with it.
func TestDecodingStops(t *testing.T) {
	n, most := 1<<20, threadtime.Limit(100*time.Millisecond)
	if os.Getenv(longForm) != "" {
		n, most = 100<<20, 500*time.Millisecond // what takes so long is to make lists of millions
	}
	for name, rwset := range hostileRWSets(n) {
		t.Run(name, func(t *testing.T) {
			tx := kvledger.Transaction{TxID: "tx", RWSet: rwset}
			ctx := threadtime.New(t, time.Hour)
			kvledger.Decode(ctx, tx)
			t.Logf("%v between two looks", ctx.Longest())
			if ctx.Longest() > most {
				t.Errorf("%v between two looks at the context", ctx.Longest())
			}
			l := openMemory(t)
			for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
				if _, err := l.CommitTx(threadtime.New(t, after), tx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("when the context ends after %v: %v", after, err)
				}
			}
		})
	}
}

// F169: the results of a transaction that has read and written very much end with their context.
func TestResultsStop(t *testing.T) {
	keys, size, most := 30_000, 32<<20, threadtime.Limit(100*time.Millisecond)
	if os.Getenv(longForm) != "" {
		keys, size, most = 3_000_000, 256<<20, 500*time.Millisecond
	}
	each := func(of func(key string) op) op {
		return func(t testing.TB, sim *kvledger.Simulator) {
			for i := range keys {
				of(fmt.Sprint("k", i))(t, sim)
			}
		}
	}
	for name, fill := range map[string]op{
		"reads":                 each(func(key string) op { return get(key) }),
		"writes":                each(func(key string) op { return put(key, "v") }),
		"private writes":        each(func(key string) op { return putPrivate(key, "v") }),
		"metadata":              each(func(key string) op { return setMetadata(key, "a=1") }),
		"a large private value": putPrivate("k", string(make([]byte, size))),
	} {
		t.Run(name, func(t *testing.T) {
			l := openMemory(t)
			for _, after := range []time.Duration{0, 5 * time.Millisecond, time.Hour} {
				sim := newSimulator(t, l, "tx")
				fill(t, sim)
				ctx := threadtime.New(t, after)
				results, err := sim.Results(ctx)
				if ended := after < time.Hour; ended && (results != nil || !errors.Is(err, context.DeadlineExceeded)) || !ended && err != nil {
					t.Errorf("when the context ends after %v: %v", after, err)
				}
				if ctx.Longest() > most {
					t.Errorf("%v between two looks at the context", ctx.Longest())
				}
				sim.Done()
			}
		})
	}
}

// A large read/write set is encoded in portions. Its bytes are those of the whole.
func TestResultsOfMany(t *testing.T) {
	l := openMemory(t)
	r := results(t, l, func(t testing.TB, sim *kvledger.Simulator) {
		for i := range 1000 {
			key := fmt.Sprint("k", i)
			get(key)(t, sim)
			getHash(key)(t, sim)
			putBoth(key, "v")(t, sim)
			setMetadata(key, "a=1")(t, sim)
			setPrivateMetadata(key, "a=1")(t, sim)
			scan(key, "z", 1)(t, sim)
		}
	})
	var public pb.TxReadWriteSet
	var private pb.TxPvtReadWriteSet
	if err := errors.Wrap(proto.Unmarshal(r.RWSet, &public), "public"); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(r.PrivateRWSet, &private); err != nil {
		t.Fatal(err)
	}
	of := public.NsRwset[0].CollectionHashedRwset[0]
	for _, test := range []struct {
		b []byte
		m proto.Message
	}{
		{public.NsRwset[0].Rwset, new(pb.KVRWSet)}, {of.HashedRwset, new(pb.HashedRWSet)},
		{private.NsPvtRwset[0].CollectionPvtRwset[0].Rwset, new(pb.KVRWSet)},
	} {
		if err := proto.Unmarshal(test.b, test.m); err != nil {
			t.Fatal(err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(test.m)
		if err != nil || !bytes.Equal(again, test.b) {
			t.Errorf("%T of %d bytes has %d when it is encoded at once, or others, %v", test.m, len(test.b), len(again), err)
		}
	}
	if codes := commitResults(t, l, r); codes[0] != valid {
		t.Error(codes)
	}
}
