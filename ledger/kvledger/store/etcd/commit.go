package etcd

import (
	"context"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// Commit implements store.Store. The servers decide how large a batch may be. If they refuse it, the error is a *LimitError.
// A commit that has begun goes on for up to Config.Timeout, whatever becomes of ctx.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	limited, end, err := s.life.Committing(ctx)
	if err != nil {
		return err
	}
	defer end()
	return s.commit(limited, b)
}

// commit tries until it is known what has become of the batch.
//
// A request whose answer was lost may have been carried out, or may be carried out later, by a server that has it in its
// queue. Each request is conditional on the record of the head that it was made for. So only one of them can ever succeed,
// and the head tells whether one has. If commit gives up while one may still be under way, that one is left behind. settle
// then changes the head's record to one that no earlier request fits, so that what is read after that stays true.
func (s *Store) commit(ctx context.Context, b *store.Batch) error {
	now, err := s.headFor(ctx, b)
	if err != nil {
		return err
	}
	writes := s.operations(b)
	var failure error // of the last try whose outcome was not known at once
	pending := false  // there is one that may still be carried out
	for n := 0; ; n++ {
		if failure == nil && now.Head != b.Prev {
			return store.ErrHeadMoved
		}
		if failure != nil {
			if known, err := now.Outcome(b, failure); known {
				return err
			}
		}
		if n > 0 && !remote.BackOff(ctx, n-1) {
			s.leave(pending)
			return errors.Wrapf(ctx.Err(), "write batch, after %v", failure)
		}
		applied, then, err := s.try(ctx, b, now, writes)
		if applied {
			return nil
		}
		if err != nil {
			failure, pending = err, pending || !answered(err)
			if then, _, err = s.readHead(ctx); err != nil {
				s.leave(pending)
				return errors.Wrapf(err, "find out whether the batch is applied, after %v", failure)
			}
			// Even a server that refuses a batch for want of space may have applied it.
			if answered(failure) && then.Head == b.Prev {
				s.leave(pending)
				return errors.Wrap(failure, "write batch")
			}
		}
		now = then
	}
}

// headFor returns the head's record if the batch can be applied to it, or another record, which is there now.
func (s *Store) headFor(ctx context.Context, b *store.Batch) (record, error) {
	if err := s.settle(ctx); err != nil {
		return record{}, err
	}
	if now := s.knownHead(); now.Head == b.Prev {
		return now, nil
	}
	now, _, err := s.readHead(ctx)
	return now, err
}

// operations returns the batch's operations, with room for one more.
func (s *Store) operations(b *store.Batch) []clientv3.Op {
	all := make([]clientv3.Op, 0, len(b.Writes)+1)
	for _, w := range b.Writes {
		if w.Value == nil {
			all = append(all, clientv3.OpDelete(s.keys.lo+w.Key))
		} else {
			all = append(all, clientv3.OpPut(s.keys.lo+w.Key, string(w.Value)))
		}
	}
	return all
}

// try sends the batch once. It is applied only if the head's record is still the given one. Otherwise try returns the record
// that is there.
func (s *Store) try(ctx context.Context, b *store.Batch, at record, writes []clientv3.Op) (bool, record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.request)
	defer cancel()
	next := at.next(b.Next)
	resp, err := s.client.Txn(clientv3.WithRequireLeader(ctx)).If(s.isStill(at)...).
		Then(append(writes, clientv3.OpPut(s.keys.head, next.value))...).Else(clientv3.OpGet(s.keys.head)).Commit()
	if err != nil {
		return false, record{}, s.limit(err, b, next)
	}
	if resp.Succeeded {
		next.revision = resp.Header.Revision
		s.note(next, resp.Header.Revision)
		return true, next, nil
	}
	kvs := resp.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return false, record{}, errors.Wrapf(ErrForeign, "%q is missing", s.keys.head)
	}
	now, err := decodeRecord(kvs[0])
	return false, now, err
}

// isStill compares the head's record. The revision alone would do, but for clusters that are restored from a backup.
func (s *Store) isStill(at record) []clientv3.Cmp {
	return []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(s.keys.head), "=", at.revision),
		clientv3.Compare(clientv3.Value(s.keys.head), "=", at.value),
	}
}

// leave notes that a request may be left behind.
func (s *Store) leave(pending bool) {
	if pending {
		s.left.Add(1)
	}
}

// settle makes sure that no request that was left behind can be carried out any more. It writes the head's record unchanged,
// which gives it another revision.
func (s *Store) settle(ctx context.Context) error {
	left := s.left.Load()
	if s.settled.Load() == left {
		return nil
	}
	err := s.retry(ctx, func(ctx context.Context) error {
		now, _, err := s.readHead(ctx)
		if err != nil {
			return err
		}
		// If it is another one by now, that will do, too.
		_, err = s.client.Txn(clientv3.WithRequireLeader(ctx)).If(s.isStill(now)...).
			Then(clientv3.OpPut(s.keys.head, now.value)).Commit()
		return err
	})
	if err != nil {
		return errors.Wrap(err, "settle what became of an earlier batch")
	}
	s.settled.Store(left)
	return nil
}
