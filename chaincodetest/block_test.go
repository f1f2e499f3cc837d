package chaincodetest_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

func TestBlock(t *testing.T) { eachBackend(t, testBlock) }

// All transactions of a block run on the state before it. Those that fail aren't in it.
func testBlock(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	var toBob, toCarol, second, wrong *chaincodetest.Tx
	net.Block(func(b *chaincodetest.Block) {
		toBob = b.Submit(alice, "basic", "Transfer", "a1", "bob").OK()
		wrong = b.Submit(alice, "basic", "Transfer", "a2", "bob")
		toCarol = b.Submit(alice, "basic", "Transfer", "a1", "carol").OK().Writes("a1", asset{"a1", 5, "carol"})
		second = b.Submit(alice, "basic", "Create", "a2", 6)
		net.State("basic", "a1").Is(asset{"a1", 5, "alice"})
	})
	toBob.OK()
	wrong.Fails("asset a2 does not exist")
	toCarol.Fails("MVCC_READ_CONFLICT")
	second.OK()
	net.State("basic", "a1").Is(asset{"a1", 5, "bob"})
	net.State("basic", "a2").Is(asset{"a2", 6, "alice"})
	if a, b := net.History("basic", "a1"), net.History("basic", "a2"); a[0].TxID != toBob.ID || b[0].TxID != second.ID {
		t.Errorf("history is %v, %v", a, b)
	}
	net.Block(func(*chaincodetest.Block) {})
}

// A block may be filled by several goroutines.
func TestBlockOfMany(t *testing.T) {
	net, alice := newNet(t)
	net.Block(func(b *chaincodetest.Block) {
		var done sync.WaitGroup
		for i := range 10 {
			done.Go(func() { b.Submit(alice, "basic", "Create", fmt.Sprint("a", i), i).OK() })
		}
		done.Wait()
	})
	net.State("basic", "a9").Is(asset{"a9", 9, "alice"})
}
