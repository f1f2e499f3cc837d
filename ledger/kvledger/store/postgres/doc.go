// Package postgres is a store in a database that is reached by PostgreSQL's protocol: PostgreSQL itself, or YugabyteDB.
//
//	s, err := postgres.Open(ctx, postgres.Config{URL: "postgres://peer@db1,db2/ledger?target_session_attrs=read-write"})
//
// A batch is one SQL statement: it moves the head, if that is the one that the batch was made for, and only then
// writes. Any number of processes may use the same store.
//
// # Durability
//
// A batch whose Commit has returned nil is as durable as the server makes a transaction, which its settings say. Leave
// fsync, full_page_writes and synchronous_commit on; the store does not set them. To lose nothing when a server is
// lost, have a synchronous standby (synchronous_standby_names) and name both servers in the URL, with
// target_session_attrs=read-write: when the standby is promoted, the store goes on there. That the old primary doesn't
// come back as a second one is up to whoever promotes.
//
// If the connection is lost while a batch is being committed, or the server gives up waiting for its standby, the
// batch may be applied or not, or be applied but not yet be on the standby. Commit then asks the server that is there,
// by a write which waits for the standby like any other, whether the batch is among the last ones, and tries again if
// it isn't and the head is the same. So it rides out a failover. If what became of the batch can't be found out within
// Config.Timeout, Commit returns an error, and until it can, there are no new snapshots of this process either.
//
// # Snapshots
//
// A snapshot is a transaction (REPEATABLE READ, READ ONLY) on a connection of its own, but the snapshots of a process
// that see the same head share one: what they ask for at the same time is read in one round trip. So it is not the
// number of snapshots that is limited, but how many different heads they may be on, to Config.MaxConns less two. Taking
// one more waits until another is closed. Open transactions keep the server from reclaiming what was overwritten
// since, so that snapshots which are open for hours make its tables grow.
//
// A connection must be a session: a pooler between the store and the server may not share them by transaction.
//
// # Tables
//
// Config.Table holds the pairs; a second table, whose name ends with _head, has one row. Both are created if they
// are not there. Tables of these names that are not a store's, or of another format, are left alone.
//
//	table         k bytea PRIMARY KEY, v bytea
//	table_head    format, blocks, epoch, and the epochs of the last 100 batches, the newest first
//
// A key may have up to 2,600 bytes: the server's B-tree takes little more. Package kvledger lets chaincode have no longer
// ones.
//
// YugabyteDB is told from PostgreSQL by what version() says. All that differs is how the primary key is declared, as
// YugabyteDB would not keep it in order otherwise. This was not tested against a YugabyteDB server.
package postgres
