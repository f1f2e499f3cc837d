package peer_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// BenchmarkNewNetwork measures how long three organizations with five peers take to start and to end.
func BenchmarkNewNetwork(b *testing.B) {
	for b.Loop() {
		n, err := peer.NewNetwork(b.Context(), peer.NetworkConfig{Organizations: threeOrganizations})
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSubmit measures a transaction that gets a key and puts it, from the proposal until all peers have committed it.
func BenchmarkSubmit(b *testing.B) {
	batch := ordering.Batch{Timeout: 5 * time.Millisecond, MaxMessageCount: 100}
	for name, cfg := range map[string]peer.NetworkConfig{
		"1 peer":                    {},
		"1 peer, batches of 100":    {Batch: batch},
		"5 peers of 3 orgs":         {Organizations: threeOrganizations},
		"5 peers of 3 orgs, of 100": {Organizations: threeOrganizations, Batch: batch},
	} {
		for _, clients := range []int{1, 100} {
			b.Run(name+"/clients="+strconv.Itoa(clients), func(b *testing.B) {
				n := newNetwork(b, cfg)
				deploy(b, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
				alice := client(b, n, "alice@Org1MSP")
				var key atomic.Int64
				if clients > 1 {
					b.SetParallelism(clients)
				}
				submit := func() {
					if _, err := n.Submit(b.Context(), alice, call("put", strconv.Itoa(int(key.Add(1))), "v")); err != nil {
						b.Error(err)
					}
				}
				submit()
				b.ReportAllocs()
				b.ResetTimer()
				if clients == 1 {
					for range b.N {
						submit()
					}
				} else {
					b.RunParallel(func(p *testing.PB) {
						for p.Next() {
							submit()
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			})
		}
	}
}
