package peer_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// Many add to few keys at once. What is said to be valid has counted, what isn't hasn't, and all peers have the same blocks.
func TestConcurrentSubmits(t *testing.T) {
	for name, batch := range map[string]ordering.Batch{"at once": {}, "in batches": {Timeout: 2 * time.Millisecond, MaxMessageCount: 5}} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP", Peers: 2}}, Batch: batch})
			deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
			const keys = 3
			var (
				valid      [keys]atomic.Int64
				submitting sync.WaitGroup
			)
			for i := range 6 {
				alice := client(t, n, fmt.Sprintf("client%d@Org%dMSP", i, i%2+1))
				submitting.Go(func() {
					for j := range 8 {
						key := (i + j) % keys
						done, err := n.Submit(t.Context(), alice, call("add", fmt.Sprint("key", key)))
						var mismatch *peer.MismatchError // the endorsers are not at the same height
						var invalid *peer.InvalidError
						switch {
						case err == nil:
							valid[key].Add(1)
						case errors.As(err, &mismatch):
						case errors.As(err, &invalid) && invalid.Code == kvledger.MVCCReadConflict && done.Outcome.Code == invalid.Code:
						default:
							t.Error(err)
						}
					}
				})
			}
			submitting.Wait()
			for key := range valid {
				state, err := n.Peers()[0].Channel("mychannel").Ledger().KeyState(t.Context(), "asset", fmt.Sprint("key", key))
				if err != nil || state == nil || int64(len(state.Value)) != valid[key].Load() || valid[key].Load() == 0 {
					t.Errorf("key %d: %d valid transactions have led to %+v, %v", key, valid[key].Load(), state, err)
				}
			}
			sameBlocks(t, n)
		})
	}
}
