//go:build linux

package benchpeer

import (
	"context"
	"flag"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

var blocks = flag.Int("blocks", 0, "how many blocks BenchmarkFlat commits, such as 100000; 0 leaves it out")

// BenchmarkFlat submits one transaction after the other, each a block of its own under a key of its own, and measures the first five
// thousands and the last.
func BenchmarkFlat(b *testing.B) {
	if *blocks == 0 {
		b.Skip("it takes minutes: say -blocks 100000")
	}
	for name, open := range map[string]func(dir string) (store.Store, error){
		"memory": func(string) (store.Store, error) { return memory.New(), nil },
		"Pebble": func(dir string) (store.Store, error) { return pebble.Open(pebble.Config{Dir: dir}) },
	} {
		b.Run(name, func(b *testing.B) {
			n, err := peer.NewNetwork(b.Context(), peer.NetworkConfig{Store: func(string) (store.Store, error) { return open(b.TempDir()) }})
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := n.Close(context.Background()); err != nil {
					b.Error(err)
				}
			}()
			c := peer.Chaincode{Name: "puts", Version: "1.0", Runtime: inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
				return shim.StartInProc(id, s, network.Puts())
			})}
			if err := n.Deploy(b.Context(), "", c); err != nil {
				b.Fatal(err)
			}
			who, err := n.Client("alice@"+peer.DefaultMSPID, nil)
			if err != nil {
				b.Fatal(err)
			}
			submit := func(from, to int) time.Duration {
				before, err := cpuTime(os.Getpid())
				if err != nil {
					b.Fatal(err)
				}
				for i := from; i < to; i++ {
					args := [][]byte{strconv.AppendInt([]byte("key"), int64(i), 10), []byte("a value that is thirty-two bytes")}
					if _, err := n.Submit(b.Context(), who, peer.Call{Chaincode: "puts", Args: args}); err != nil {
						b.Fatal(err)
					}
				}
				after, err := cpuTime(os.Getpid())
				if err != nil {
					b.Fatal(err)
				}
				return (after - before) / time.Duration(to-from)
			}
			next := 0
			thousand := func() time.Duration {
				next += 1000
				return submit(next-1000, next)
			}
			median := func() time.Duration { // a machine that others use has better moments and worse ones
				five := make([]time.Duration, 5)
				for i := range five {
					five[i] = thousand()
				}
				slices.Sort(five)
				return five[len(five)/2]
			}
			thousand() // everything is warm then
			first := median()
			for next < *blocks-5000 {
				thousand()
			}
			last := median()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(first.Seconds()*1e3, "first-cpu-ms/submit")
			b.ReportMetric(last.Seconds()*1e3, "last-cpu-ms/submit")
		})
	}
}
