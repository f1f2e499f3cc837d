package pebble

import (
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"
)

// Config says where a store is, and what it may use.
type Config struct {
	// Dir is the data folder. Required. It is created, with its parents, if it is not there. On Unix, if others than its
	// owner have access to it, that is taken from them, and logged. A folder that is meant to be shared, such as /tmp, or
	// that belongs to another user, is refused then.
	Dir string
	// CacheSize is how many bytes of memory may be used for what was read, and for what is not yet in tables. The cache
	// begins empty. 0 is 512 MiB, which keeps about a million keys of usual size at hand. Commits read every key that their
	// transactions have read. With a cache far smaller than those keys, they are several times slower.
	//
	// Built with cgo, Pebble has the cache from C's allocator. That of glibc keeps large buffers once they are free: hundreds of
	// MiB, after values of 10 MiB. The environment variable MALLOC_MMAP_THRESHOLD_=1048576 of the process stops that. Without
	// cgo the cache is Go's memory.
	CacheSize int64
	// MinFree is how many bytes of the disk must be free for a commit to begin. So a full disk is an error that leaves the
	// store usable. 0 is 256 MiB, and less than 0 is no limit.
	MinFree int64
	// Logger gets what happens in the background. Nil: nothing is logged.
	Logger *zap.Logger
	// FS is the file system that Dir is in. Nil is the operating system's. It is meant for tests.
	FS vfs.FS
}

const (
	defaultCacheSize = 512 << 20
	defaultMinFree   = 256 << 20

	// Pebble's own default of 4 MiB makes a table of every few blocks.
	minMemTableSize, maxMemTableSize = 1 << 20, 64 << 20
)

// complete returns the configuration with defaults in place of zero values.
func (c Config) complete() (Config, error) {
	switch {
	case c.Dir == "":
		return c, errors.New("Config.Dir is required")
	case c.CacheSize < 0:
		return c, errors.Errorf("Config.CacheSize is %d, less than 0", c.CacheSize)
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.MinFree == 0 {
		c.MinFree = defaultMinFree
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.FS != nil {
		return c, nil
	}
	c.FS = vfs.Default
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, errors.Wrap(err, "find data folder")
	}
	c.Dir = dir
	return c, nil
}

// resolve gives the data folder, which must be there, a single name. Within a process, a folder is locked by its name.
func (c *Config) resolve() error {
	if c.FS != vfs.Default {
		return nil
	}
	dir, err := filepath.EvalSymlinks(c.Dir)
	if err != nil {
		return err
	}
	c.Dir = dir
	return nil
}

// options returns how Pebble is tuned. It is tuned for point reads, nearly all of them of keys that exist or of transaction
// IDs that don't. And it is tuned for one writer that syncs every batch.
func (c Config) options(g *guard) *pebble.Options {
	o := &pebble.Options{
		FS: errorfs.Wrap(c.FS, g),
		// Later formats are for Pebble's later versions to choose; this one tells a torn log from a damaged one.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		MemTableSize:       uint64(min(max(c.CacheSize/8, minMemTableSize), maxMemTableSize)),
		// The store waits itself: see tables.
		MemTableStopWritesThreshold: unlimited,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       unlimited,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      g,
		EventListener:               g.listener(),
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // bits per key: 1 of 100 absent keys is looked for
	}
	return o
}
