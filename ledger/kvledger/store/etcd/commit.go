package etcd

import (
	"context"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Commit implements store.Store. How large a batch may be is up to the servers: a *LimitError says that they refuse it.
// A commit that has begun goes on for up to Config.Timeout, whatever becomes of ctx.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.committing <- struct{}{}:
		defer func() { <-s.committing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.isClosed() {
		return store.ErrClosed
	}
	limited, cancel := s.limited()
	defer cancel()
	return s.commit(limited, b)
}

// commit tries until it is known what has become of the batch.
func (s *Store) commit(ctx context.Context, b *store.Batch) error {
	now, err := s.headFor(ctx, b)
	if err != nil {
		return err
	}
	writes := s.operations(b)
	var failure error // of the last try whose outcome was not known at once
	pending := false  // there is one that may still be carried out
	for n := 0; ; n++ {
		switch {
		case failure != nil && now.tells(b.Next):
			return nil
		case failure != nil && now.head.Blocks >= b.Next.Blocks+keptEpochs:
			return errors.Errorf("find out whether the batch is applied, after %v: there are %d later ones",
				failure, now.head.Blocks-b.Next.Blocks)
		case now.head != b.Prev: // which never comes again
			return store.ErrHeadMoved
		case n > 0 && !sleep(ctx, backOff(n-1)):
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
			if answered(failure) && then.head == b.Prev {
				s.leave(pending)
				return errors.Wrap(failure, "write batch")
			}
		}
		now = then
	}
}

// headFor returns the head's record as it is for the batch to be applied, or another one, which is there now.
func (s *Store) headFor(ctx context.Context, b *store.Batch) (record, error) {
	if err := s.settle(ctx); err != nil {
		return record{}, err
	}
	if now := s.knownHead(); now.head == b.Prev {
		return now, nil
	}
	now, _, err := s.readHead(ctx)
	return now, err
}

// operations returns those of the batch, with room for one more.
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

// try sends the batch once. It is applied only if the head's record is still the one that is given; otherwise try
// returns the one that is there.
func (s *Store) try(ctx context.Context, b *store.Batch, at record, writes []clientv3.Op) (bool, record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout/tries)
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

// settle sees to it that no request that was left behind can be carried out any more: it writes the head's record as it
// is, which gives it another revision.
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
