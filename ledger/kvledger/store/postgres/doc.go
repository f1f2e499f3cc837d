// Package postgres is a store in a database that speaks PostgreSQL's protocol: PostgreSQL itself, or YugabyteDB.
//
//	s, err := postgres.Open(ctx, postgres.Config{URL: "postgres://peer@db1,db2/ledger?target_session_attrs=read-write"})
//
// A batch is one SQL statement. It moves the head, if that is the one that the batch was made for, and only then writes. Any
// number of processes may use the same store.
//
// # Durability
//
// A batch whose Commit has returned nil is as durable as the server makes a transaction, which depends on the server's
// settings. Leave fsync, full_page_writes and synchronous_commit on. The store does not set them.
//
// To lose nothing when a server is lost, have a synchronous standby (synchronous_standby_names). Name both servers in the
// URL, with target_session_attrs=read-write. When the standby is promoted, the store goes on there. Whoever promotes it must
// make sure that the old primary doesn't come back as a second one.
//
// The connection may be lost while a batch is being committed, or the server may give up waiting for its standby. Then the
// batch may be applied or not, or be applied but not yet be on the standby. Commit asks the server that is there whether the
// batch is among the last ones. It asks by a write, which waits for the standby like any other. If the batch isn't there and
// the head is the same, Commit tries again. So it survives a failover. If that can't be found out within Config.Timeout,
// Commit returns an error. Until it can be found out, this process gets no new snapshots either.
//
// # Snapshots
//
// A snapshot is a transaction (REPEATABLE READ, READ ONLY) on a connection of its own. But the snapshots of a process that
// see the same head share one. What they ask for at the same time is read in one round trip. So the number of snapshots is
// not limited. But they may be on at most Config.MaxConns less two different heads. Taking one more waits until another is
// closed. Open transactions keep the server from reclaiming what was overwritten since. So snapshots that are open for hours
// make its tables grow.
//
// A connection must be a session: a pooler between the store and the server may not share them by transaction.
//
// # Tables
//
// Config.Table holds the pairs. A second table, whose name ends with _head, has one row. Both are created if they are not
// there. Tables of these names that are not a store's, or have another format, are left alone.
//
//	table         k bytea PRIMARY KEY, v bytea
//	table_head    format, blocks, epoch, and the epochs of the last 100 batches, the newest first
//
// A key may have up to 2,600 bytes, because the server's B-tree takes little more. Package kvledger refuses longer keys of
// chaincode.
//
// The store recognizes YugabyteDB by what version() says. All that differs is how the primary key is declared, because
// YugabyteDB would not keep it in order otherwise. This was not tested against a YugabyteDB server.
package postgres
