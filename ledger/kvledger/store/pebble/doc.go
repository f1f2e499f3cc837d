// Package pebble is a durable store in a folder of the local disk. It uses Pebble, an embedded log-structured merge tree.
//
//	s, err := pebble.Open(pebble.Config{Dir: "/var/lib/peer/ledger"})
//
// A batch is one record of Pebble's write-ahead log, which is synced before Commit returns. A batch whose commit has
// returned nil is there after a crash, and no batch is ever there in part. A snapshot shows only what is synced.
//
// # Failures
//
// A disk can fail in three ways.
//
// The log can't be written or synced. Then nobody can know what is on the disk. From then on the store refuses commits and
// snapshots, and writes nothing more. It must be closed and opened again, which finds out. The same holds for the MANIFEST,
// which says what tables there are. If Pebble can't even change to a new log, it ends the process by a panic. That loses
// nothing either. Config.MinFree keeps a disk that fills up from leading there.
//
// Tables can't be written, though the log can: a quota is used up, say. Then commits fail with the cause, and reads go on.
// Pebble tries again ten times a second. When the disk is as it was, commits go on by themselves.
//
// The disk doesn't answer. Then a commit waits, but not longer than its context, and Close not longer than 25 seconds. A
// batch that the disk has not answered for may still be written. So the next snapshot waits until that is known, or until
// its own context ends.
//
// What is read is checked by checksums. What fails them is ErrDamaged, not a value.
//
// What was committed last is in the log alone, until Close, or until it is enough for a table. Pebble takes damage to the end
// of the log, or of the MANIFEST, for what a crash has cut off. So the file CCPEER-HEAD notes after each commit how many
// batches there are. If Open finds fewer, that is ErrDamaged too. The notes outlive the process. They are not synced with each
// commit, so that a power failure may take those of the last seconds. If it comes together with damage to the log, batches of
// these seconds may be missing, and nothing shows that.
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
