// Package etcd is a store in an etcd cluster. Several nodes replicate it, and it goes on as long as a majority of them does.
//
//	s, err := etcd.Open(ctx, etcd.Config{Endpoints: []string{"https://etcd1:2379", "https://etcd2:2379", "https://etcd3:2379"}})
//
// A batch is one etcd transaction. If the head's record is still the one that the batch was made for, it writes everything
// and the new head. Any number of processes may use the same store.
//
// # Servers
//
// etcd servers refuse transactions of more than 128 operations, and requests of more than 1.5 MiB, unless they are told
// otherwise. A block of 500 transactions easily has 2,500 writes. Start every server with, for example,
//
//	etcd --max-txn-ops=100000 --max-request-bytes=33554432 --quota-backend-bytes=8589934592 …
//
// If a batch is too large for the servers, the error is a *LimitError. It says what they must be started with. Everything
// but large batches works with the defaults. The store could keep the limits by staging a batch in several transactions. But
// then every reader would have to look in two places, and writers would have to clean up after one another. A batch would
// cost several rounds of consensus and be written twice. One request is simple, and as fast as etcd can be.
//
// Leave --unsafe-no-fsync off. Then a batch whose Commit has returned nil is on the disks of a majority. etcd is made for up
// to 8 GiB of data. When its quota is reached it refuses to write, until there is more room and its alarm is disarmed.
//
// # Failures
//
// If the connection or the leader is lost while a batch is being committed, the batch may be applied or not. Commit then
// asks the cluster for the head, which tells who made the last 100 batches. If the head is the same as before, Commit tries
// again. A batch that is under way twice is applied once, because it is for one revision of the head's record only.
//
// If that can't be found out within Config.Timeout, Commit returns an error, and something may still be under way. So before
// this process takes another snapshot, or commits, it writes the head's record once more, unchanged. That gives the record
// another revision. What comes late isn't applied then, and what the snapshot says of the batch stays true.
//
// # Snapshots
//
// A snapshot is a revision of the cluster. One read, which asks a majority, gives the head and the revision at which it was
// read. Everything else is read at that revision, from any node. Callers who ask for a snapshot, or for a key, at the same
// time share one request. An open snapshot holds nothing on the servers.
//
// etcd counts the keys of a whole range for each page of it, and reads all of a range to sort it backwards. So it is slow to
// read ranges of more than some 10,000 keys, and backwards even fewer.
//
// # Compaction
//
// etcd keeps everything that was overwritten, until it is told to forget what is older than a revision. The store does so by
// itself, for what was overwritten longer ago than Config.Retain, but never for what one of its own snapshots sees.
// Compaction is for the cluster's keys as a whole, and knows nothing of other processes. So processes that use the cluster
// should have the same Retain, and must not keep snapshots open for longer. Reading from a snapshot that is too old returns
// ErrCompacted. If the servers compact by themselves (--auto-compaction-retention), set Retain to less than 0. Then the
// servers decide how long a snapshot may be open.
//
// Compaction makes room for new data. It doesn't make the files smaller; etcdctl defrag does.
//
// # Keys
//
// What begins with Config.Prefix and a zero byte belongs to the store. To create one, nothing at all may begin with the
// prefix. What is not a store's, or has another format, is left alone.
//
//	prefix 00 'h'      the head: "ccpeer-kv", format (1 byte), Blocks, Epoch, and the epochs of the last 100 batches,
//	                   the newest first (8 bytes each, big-endian)
//	prefix 00 'k' key  a key of the store, with its value as it is
package etcd
