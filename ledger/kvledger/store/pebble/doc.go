// Package pebble is a durable store in a folder of the local disk. It uses Pebble, an embedded log-structured merge tree.
//
//	s, err := pebble.Open(pebble.Config{Dir: "/var/lib/peer/ledger"})
//
// A batch is one record of Pebble's write-ahead log, which is synced before Commit returns. A batch whose commit has
// returned nil is there after a crash, and no batch is ever there in part. A snapshot shows only what is synced.
//
// # Failures
//
// If the disk fails while something is written, nobody can know what is on it. From then on the store refuses commits and
// snapshots, and writes nothing more. It must be closed and opened again, which finds out. If Pebble can't even change to a
// new log, it ends the process by a panic. That loses nothing either. Config.MinFree keeps a disk that fills up from leading
// there.
//
// What is read is checked by checksums. What fails them is ErrDamaged, not a value. There is one gap, which is Pebble's.
// What was committed last is in the log alone, until Close, or until it is enough for a table. Damage to the end of the log,
// or of the MANIFEST, can look like what a crash has cut off. Batches may be missing then.
//
// # Folder
//
// The file CCPEER-STORE says that the folder is a store, and in which format. It is the last thing that is made when a store
// is created. Until then CCPEER-STORE.new stands for it. A folder that has something in it, but neither of the two, is not
// touched. A folder that has the first one is read as a whole, except for the values, before anything is written to it. So a
// damaged folder stays as it is for whoever must repair it. A process locks the folder while it uses it.
//
// # Keys
//
//	'h'      the head: format (1 byte), Blocks, Epoch (8 bytes each, big-endian)
//	'k' key  a key of the store, with its value as it is
package pebble
