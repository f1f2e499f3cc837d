package committer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
)

const blockSize = 500

// forgetful is a ledger that stays as it is, so that the same block can be committed again.
type forgetful struct{ *kvledger.Ledger }

func (forgetful) Commit(_ context.Context, b kvledger.Block) ([]kvledger.ValidationCode, error) {
	codes := make([]kvledger.ValidationCode, len(b.Transactions))
	for i, tx := range b.Transactions {
		codes[i] = tx.Code
	}
	return codes, nil
}

// manyPuts is a block of transactions that put a key each.
func (n *network) manyPuts(chaincode string, endorsers ...*identity.Identity) [][]byte {
	n.t.Helper()
	all := make([][]byte, blockSize)
	for i := range all {
		all[i], _ = n.transaction(chaincode, puts(n.t, fmt.Sprint("key", i)), endorsers...)
	}
	return all
}

// BenchmarkCommit measures blocks of 500 transactions, of one and of two endorsers: how long they are validated, and how long it takes
// with a ledger in memory. Compare with BenchmarkVerify of as many signatures.
func BenchmarkCommit(b *testing.B) {
	for _, c := range []struct {
		name      string
		chaincode string
		peers     int
	}{{"endorsements=1", "either", 1}, {"endorsements=2", "both", 2}} {
		b.Run("validate/"+c.name, func(b *testing.B) {
			n := newNetwork(b, func(n *network) { n.cfg.Ledger = forgetful{n.ledger} })
			block := n.block(n.manyPuts(c.chaincode, []*identity.Identity{n.table.Peer1, n.table.Peer2}[:c.peers]...)...)
			for b.Loop() {
				codes, err := n.committer.Commit(b.Context(), block)
				if err != nil || len(n.refusals) > 0 {
					b.Fatal(codes, err)
				}
			}
			b.ReportMetric(float64(b.N)*blockSize/b.Elapsed().Seconds(), "envelopes/s")
		})
		b.Run("commit/"+c.name, func(b *testing.B) {
			n := newNetwork(b, nil)
			block := n.block(n.manyPuts(c.chaincode, []*identity.Identity{n.table.Peer1, n.table.Peer2}[:c.peers]...)...)
			for b.Loop() {
				b.StopTimer() // a new ledger, for the same block
				var err error
				cfg := n.cfg
				if cfg.Ledger, err = kvledger.NewProvider(memory.New()).Open(b.Context(), "mychannel"); err != nil {
					b.Fatal(err)
				}
				committer, err := committer.New(cfg)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if codes, err := committer.Commit(b.Context(), block); err != nil || len(n.refusals) > 0 {
					b.Fatal(codes, err)
				}
			}
			b.ReportMetric(float64(b.N)*blockSize/b.Elapsed().Seconds(), "envelopes/s")
		})
	}
}

// BenchmarkVerify is the floor: nothing but the signatures of such blocks, on all processors.
func BenchmarkVerify(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for signatures := 2; signatures <= 3; signatures++ {
		b.Run(fmt.Sprintf("signatures=%d", signatures), func(b *testing.B) {
			for b.Loop() {
				var next atomic.Int64
				var workers sync.WaitGroup
				for range runtime.GOMAXPROCS(0) {
					workers.Go(func() {
						for next.Add(1) <= int64(signatures*blockSize) {
							if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
								b.Error("the signature is wrong")
							}
						}
					})
				}
				workers.Wait()
			}
			b.ReportMetric(float64(b.N)*blockSize/b.Elapsed().Seconds(), "envelopes/s")
		})
	}
}
