package shim

import (
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// maxBatchBytes keeps a message of several records within pb.MaxMessageSize, with room for its envelope. One record
// may be larger, as one PUT_STATE may.
const maxBatchBytes = pb.MaxMessageSize / 2

// batchKey is what a write of a batch replaces earlier ones by: a key's value and its metadata are written apart.
type batchKey struct {
	collection, key string
	metadata        bool
}

// writeBatch holds writes back until they are sent together.
type writeBatch struct {
	mu      sync.Mutex
	records []*pb.WriteRecord // guarded by mu: the last write of each key, in the order of the first
	index   map[batchKey]int  // guarded by mu: in records
	taken   bool              // guarded by mu
}

// add keeps a write, which belongs to the batch from now on.
func (b *writeBatch) add(r *pb.WriteRecord) error {
	key := batchKey{r.GetCollection(), r.GetKey(), r.GetType() == pb.WriteRecord_PUT_STATE_METADATA}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken { // meanwhile, by another goroutine
		return ErrConcurrentRequest
	}
	if i, ok := b.index[key]; ok {
		b.records[i] = r
		return nil
	}
	b.index[key] = len(b.records)
	b.records = append(b.records, r)
	return nil
}

// take ends the batch and returns its writes.
func (b *writeBatch) take() []*pb.WriteRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = true
	return b.records
}

func (s *stub) StartWriteBatch() {
	if s.tx.h.offers.writeBatch == 0 || s.tx.finished.Load() { // then each write says what is wrong
		return
	}
	s.batch.CompareAndSwap(nil, &writeBatch{index: make(map[batchKey]int)})
}

func (s *stub) FinishWriteBatch() error {
	b := s.batch.Swap(nil)
	if b == nil {
		return nil
	}
	for records := b.take(); len(records) > 0; {
		n := fit(records, s.tx.h.offers.writeBatch)
		if _, err := s.tx.request(pb.ChaincodeMessage_WRITE_BATCH_STATE, &pb.WriteBatchState{Rec: records[:n]}); err != nil {
			return errors.Wrap(err, "failed send batch")
		}
		records = records[n:]
	}
	return nil
}

// fit returns how many of records go into one message: no more than most, and at least one.
func fit(records []*pb.WriteRecord, most int) int {
	records = records[:min(most, len(records))]
	size := 0
	for i, r := range records {
		if size += proto.Size(r); size > maxBatchBytes && i > 0 {
			return i
		}
	}
	return len(records)
}
