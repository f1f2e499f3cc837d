package pebble

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pkg/errors"
)

// Pebble's MANIFEST is a log of what tables there are, in LevelDB's format. It has blocks of 32 KiB, and these have chunks
// that don't cross them. A chunk is a checksum (4 bytes), a length (2), a kind (1), and as many bytes as the length says.
const (
	blockSize   = 32 << 10
	chunkHeader = 7

	// A record is one whole chunk, or a first one and others.
	wholeChunk, firstChunk, lastKind = 1, 2, 4
)

// checkManifest finds damage that Pebble takes for the end of the MANIFEST, as a crash can leave it. Pebble would go back
// silently to the tables that there were at that time. Each record is synced before the next one is written. So if a record
// follows the damage, the damage can't come from a crash.
func checkManifest(fs vfs.FS, dir string) error {
	found, err := pebble.Peek(dir, fs)
	if err != nil {
		return damage(err)
	}
	if !found.Exists {
		return nil // which Open says better
	}
	f, err := fs.Open(found.ManifestFilename)
	if err != nil {
		return damage(err)
	}
	b, err := io.ReadAll(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return errors.Wrap(err, "read MANIFEST")
	}
	end := validUntil(b)
	for at := end + 1; at+chunkHeader < len(b); at++ {
		if size, kind := chunkAt(b, at); size > 0 && (kind == wholeChunk || kind == firstChunk) {
			return errors.Wrapf(ErrDamaged, "check %s: there is damage at byte %d", fs.PathBase(found.ManifestFilename), end)
		}
	}
	return nil
}

// validUntil returns where the first chunk is that is not as it was written.
func validUntil(b []byte) int {
	at := 0
	for at < len(b) {
		if rest := blockSize - at%blockSize; rest < chunkHeader {
			at += rest
			continue
		}
		size, kind := chunkAt(b, at)
		if kind == 0 {
			return at
		}
		at += chunkHeader + size
	}
	return at
}

// chunkAt returns the size and kind of the chunk at a position; the kind is 0 if there is none.
func chunkAt(b []byte, at int) (size int, kind byte) {
	b = b[at:min(len(b), at+blockSize-at%blockSize)]
	if len(b) < chunkHeader || b[6] == 0 || b[6] > lastKind {
		return 0, 0
	}
	size = int(binary.LittleEndian.Uint16(b[4:]))
	if len(b) < chunkHeader+size {
		return 0, 0
	}
	sum := crc32.Checksum(b[6:chunkHeader+size], crc32.MakeTable(crc32.Castagnoli))
	if binary.LittleEndian.Uint32(b) != (sum>>15|sum<<17)+0xa282ead8 { // as LevelDB masks it
		return 0, 0
	}
	return size, b[6]
}
