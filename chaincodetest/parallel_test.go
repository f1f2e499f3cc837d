package chaincodetest_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// Twenty networks run side by side, and none sees anything of another.
func TestManyNetworks(t *testing.T) {
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			net, alice := newNet(t)
			for range 5 {
				before := net.Snapshot()
				alice.Submit("basic", "Create", "a1", i).OK().Writes("a1", asset{"a1", i, "alice"})
				net.Revert(before)
			}
			alice.Submit("basic", "Create", "a1", i).OK()
			net.State("basic", "a1").Is(asset{"a1", i, "alice"})
		})
	}
}

// Parallel subtests may share a network.
func TestParallelSubtests(t *testing.T) {
	net, alice := newNet(t)
	t.Run("all", func(t *testing.T) {
		for i := range 10 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				alice := alice.In(net.In(t))
				for n := range 20 {
					id := fmt.Sprintf("a%d.%d", i, n)
					alice.Submit("basic", "Create", id, n).OK().Writes(id, asset{id, n, "alice"})
				}
			})
		}
	})
	net.State("basic", "a9.19").Is(asset{"a9.19", 19, "alice"})
}

// Several goroutines of a test may submit. Transactions that conflict are invalid, and one of each round is not.
func TestConcurrentSubmits(t *testing.T) {
	_, alice := newNet(t, chaincodetest.WithoutDeterminism())
	alice.Submit("basic", "Create", "a1", 5).OK()
	var mu sync.Mutex
	valid := 0
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 20 {
				err := alice.Submit("basic", "Transfer", "a1", "bob").Err()
				if err != nil && err.Error() != "MVCC_READ_CONFLICT" {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					valid++
					mu.Unlock()
				}
			}
		})
	}
	done.Wait()
	if valid == 0 {
		t.Error("no transaction was valid")
	}
}

// Peers commit a block one after the other. A transaction that runs meanwhile is not taken for one that isn't deterministic, and
// endorsers that are not at the same height don't make it fail.
func TestConcurrentSubmitsOfSeveral(t *testing.T) {
	for name, options := range map[string][]chaincodetest.Option{"compared": nil, "not compared": {chaincodetest.WithoutDeterminism()}} {
		t.Run(name, func(t *testing.T) {
			net := chaincodetest.New(t, append(options, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP", "Org3MSP"))...)
			net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("AND('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')"))
			alice := net.As("alice@Org1MSP", "name", "alice")
			alice.Submit("basic", "Create", "a1", 5).OK()
			var done sync.WaitGroup
			for range 8 {
				done.Go(func() {
					for range 8 {
						if err := alice.Submit("basic", "Transfer", "a1", "bob").Err(); err != nil && err.Error() != "MVCC_READ_CONFLICT" {
							t.Error(err)
						}
					}
				})
			}
			done.Wait()
		})
	}
}
