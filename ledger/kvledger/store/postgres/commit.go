package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// maxBatch is how many bytes a batch may have. PostgreSQL receives at most 1 GiB at once, and an array in it has no more.
const maxBatch = 512 << 20

// maxKey is how many bytes a key may have. PostgreSQL's B-tree refuses entries of more than 2,704 bytes, of which 12 are not
// the key's. What the server compresses may be longer. So without this limit one long key could pass, and another one of the
// same length could not.
const maxKey = 2600

var _ store.Limited = (*Store)(nil)

// MaxKeySize implements store.Limited.
func (s *Store) MaxKeySize() int { return maxKey }

// Commit implements store.Store. A batch may have up to 512 MiB, and a key up to 2,600 bytes. A commit that has begun goes
// on for up to Config.Timeout, whatever becomes of ctx.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	limited, end, err := s.life.Committing(ctx)
	if err != nil {
		return err
	}
	defer end()
	args, err := commitArgs(b)
	if err != nil {
		return err
	}
	return s.commit(limited, b, args)
}

func commitArgs(b *store.Batch) ([]any, error) {
	var keys, values, deleted [][]byte
	size := 0
	for _, w := range b.Writes {
		if len(w.Key) > maxKey {
			return nil, errors.Errorf("the key %.40q… has %d bytes, at most %d are possible", w.Key, len(w.Key), maxKey)
		}
		size += len(w.Key) + len(w.Value) + 8 // for their lengths
		if w.Value == nil {
			deleted = append(deleted, []byte(w.Key))
			continue
		}
		keys, values = append(keys, []byte(w.Key)), append(values, w.Value)
	}
	if size > maxBatch {
		return nil, errors.Errorf("the batch has %d bytes, at most %d are possible", size, maxBatch)
	}
	// The server's numbers are signed. Only equality matters.
	return []any{
		int64(b.Prev.Blocks), int64(b.Prev.Epoch), int64(b.Next.Blocks), int64(b.Next.Epoch), keys, values, deleted,
	}, nil
}

// commit tries until it is known what has become of the batch.
func (s *Store) commit(ctx context.Context, b *store.Batch, args []any) error {
	for tries := 0; ; tries++ {
		applied, err := s.try(ctx, args)
		switch {
		case err == nil && applied:
			return nil
		case err == nil && tries == 0:
			return store.ErrHeadMoved
		case err != nil && !transient(err):
			return errors.Wrap(err, "write batch")
		}
		// Applied or not, by this try or an earlier one. A server may even be at it yet, but only one can succeed.
		now, settleErr := s.settle(ctx)
		if settleErr != nil {
			s.unsettled.Store(true)
			return errors.Wrapf(settleErr, "find out whether the batch is applied, after %v", err)
		}
		if known, outcome := now.Outcome(b, err); known {
			return outcome
		}
		if !remote.BackOff(ctx, tries) {
			return errors.Wrap(ctx.Err(), "write batch")
		}
	}
}

// try sends the batch once. If the head is another one, the batch is not applied.
func (s *Store) try(ctx context.Context, args []any) (applied bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	_ = takeWarning(conn.Conn().PgConn()) // an earlier one, which is of no interest
	tag, err := conn.Exec(ctx, s.sql.commit, args...)
	if err == nil {
		err = takeWarning(conn.Conn().PgConn())
	}
	return tag.RowsAffected() == 1, err
}

// settle waits for a server where everything that was committed before is durable.
func (s *Store) settle(ctx context.Context) (now remote.Settled, err error) {
	first := true
	err = remote.Retry(ctx, func(err error) bool { return !transient(err) }, func(ctx context.Context) (err error) {
		if !first {
			s.pool.Reset() // other connections may be to a server that has gone, too
		}
		first = false
		now, err = settle(ctx, s.pool, s.sql)
		return err
	})
	if err != nil {
		return now, errors.Wrap(err, "settle head")
	}
	s.unsettled.Store(false)
	return now, nil
}

// settle writes the head unchanged. That is a write, so the server answers when its standby has it, and has all that was
// written before.
func settle(ctx context.Context, pool *pgxpool.Pool, q statements) (now remote.Settled, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return now, err
	}
	defer conn.Release()
	_ = takeWarning(conn.Conn().PgConn())
	var blocks, epoch int64
	var recent []int64
	if err := conn.QueryRow(ctx, q.settle).Scan(&blocks, &epoch, &recent); err != nil {
		return now, err
	}
	now.Head = store.Head{Blocks: uint64(blocks), Epoch: uint64(epoch)}
	for _, epoch := range recent {
		now.Recent = append(now.Recent, uint64(epoch))
	}
	return now, takeWarning(conn.Conn().PgConn())
}

// transient reports whether an error may be gone at the next try, on this server or on another one. The outcome is open
// then.
func transient(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return true // the connection
	}
	switch pgErr.Code {
	case "40001", "40P01", // serialization failure, deadlock
		"25006", // read-only transaction: the server is a standby
		"25P03", // the server has ended an idle transaction
		"53300": // too many connections
		return true
	}
	// Connections, and servers that end or begin.
	return strings.HasPrefix(pgErr.Code, "08") || strings.HasPrefix(pgErr.Code, "57P")
}
