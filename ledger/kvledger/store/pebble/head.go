package pebble

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// What was committed last is in Pebble's log alone. A crash may leave the end of the log in any state. So Pebble takes the
// first record that it can't read for the end. If the log has been cut short by anything else, batches that were acknowledged
// are missing then, and nothing shows that.
//
// So the head is noted in a file of its own too, after each commit. The log is synced before that. So a note that is on the
// disk is never of a batch that the disk might not have. If the note is ahead of the log, something has cut the log.
//
// The note is not synced with each commit. That would take half as long again as the commit itself, and the note takes a
// microsecond. It outlives the process even so. After a power failure it may be late, because the operating system takes
// some seconds to write it. Then it still says what must be there at least.

// headName is the file with the notes.
const headName = "CCPEER-HEAD"

// There are two notes, written in turn, and each has a sector of the disk for itself. A power failure may tear one of them.
const (
	noteSize   = 8 + 8 + 4 // Blocks, Epoch, checksum
	noteSector = 512
)

// headFile is where the head is noted. One goroutine at a time uses it.
type headFile struct {
	file   vfs.File
	log    *zap.Logger
	slot   int64 // of the next note
	failed bool
}

// openHead opens the file, and makes it if it is not there, with a first note that is on the disk.
func openHead(fs vfs.FS, dir string, head store.Head, log *zap.Logger) (*headFile, error) {
	path := fs.PathJoin(dir, headName)
	_, missing := fs.Stat(path)
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	h := &headFile{file: f, log: log}
	for range 2 { // one after the other, so that a power failure tears one at most
		if err == nil {
			err = h.write(head)
		}
		if err == nil {
			err = f.Sync()
		}
	}
	if err == nil && missing != nil {
		err = syncFolder(fs, dir)
	}
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return h, nil
}

// note writes the head of a commit that is on the disk. If that can't be done, the commit is as good as ever.
func (h *headFile) note(head store.Head) {
	if err := h.write(head); err != nil && !h.failed {
		h.failed = true
		h.log.Warn("the head can't be noted: if the log is cut short, that won't be noticed", zap.String("file", headName), zap.Error(err))
	}
}

func (h *headFile) write(head store.Head) error {
	b := make([]byte, 0, noteSize)
	b = binary.BigEndian.AppendUint64(b, head.Blocks)
	b = binary.BigEndian.AppendUint64(b, head.Epoch)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	_, err := h.file.WriteAt(b, h.slot*noteSector)
	h.slot = 1 - h.slot
	return err
}

// close syncs the last note, unless nothing more is to be written.
func (h *headFile) close(sync bool) (err error) {
	if sync {
		err = h.file.Sync()
	}
	if closeErr := h.file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// checkHead compares the head that a store has with the one that is noted.
func checkHead(fs vfs.FS, dir string, head store.Head) error {
	noted, err := readNotes(fs, dir)
	switch {
	case err != nil:
		return errors.Wrap(err, "read "+headName)
	case noted.Blocks > head.Blocks:
		return errors.Wrapf(ErrDamaged, "of %d batches that were committed only %d are there: the log has been cut short "+
			"(to go on without the others, remove %s)", noted.Blocks, head.Blocks, headName)
	case noted.Blocks == head.Blocks && noted != head:
		return errors.Wrapf(ErrDamaged, "batch %d is another one than was committed (to go on with it, remove %s)", head.Blocks, headName)
	}
	return nil
}

// readNotes returns the later note. A file that is missing, or can't be understood, says nothing: that is the zero head.
func readNotes(fs vfs.FS, dir string) (noted store.Head, err error) {
	f, err := fs.Open(fs.PathJoin(dir, headName))
	if errors.Is(err, os.ErrNotExist) {
		return noted, nil
	}
	if err != nil {
		return noted, err
	}
	b, err := io.ReadAll(io.LimitReader(f, 2*noteSector))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	for ; len(b) >= noteSize; b = b[min(len(b), noteSector):] {
		sum := crc32.Checksum(b[:noteSize-4], crc32.MakeTable(crc32.Castagnoli))
		if blocks := binary.BigEndian.Uint64(b); sum == binary.BigEndian.Uint32(b[noteSize-4:]) && blocks > noted.Blocks {
			noted = store.Head{Blocks: blocks, Epoch: binary.BigEndian.Uint64(b[8:])}
		}
	}
	return noted, err
}
