package pebble

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Open opens the store in a folder, or creates one there. errors.Is finds ErrForeign, ErrFormat, ErrDamaged or ErrLocked in
// an error if the folder can't be used as it is. Nothing was changed then, except that a store, or a folder that is shared
// with others, may have got an empty file LOCK.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s, err := open(cfg)
	if err != nil {
		return nil, errors.Wrapf(err, "open data folder %s", cfg.Dir)
	}
	return s, nil
}

func open(cfg Config) (*Store, error) {
	isStore, err := inspect(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if !isStore {
		if err := makeFolder(cfg.FS, cfg.Dir); err != nil {
			return nil, err
		}
	}
	if err := cfg.resolve(); err != nil {
		return nil, err
	}
	lock, err := lockFolder(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := openLocked(cfg, lock)
	// From here on the database has the lock, if there is one.
	if closeErr := lock.Close(); closeErr != nil && err == nil {
		_ = s.Close() // the first error counts
		return nil, errors.Wrap(closeErr, "unlock")
	}
	return s, err
}

func openLocked(cfg Config, lock *pebble.Lock) (*Store, error) {
	// Another process may have had the lock a moment ago.
	isStore, err := inspect(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		fs: cfg.FS, dir: cfg.Dir, minFree: cfg.MinFree, log: cfg.Logger,
		guard:      &guard{log: cfg.Logger, fs: cfg.FS, dir: cfg.Dir, tables: newTables(cfg.Logger)},
		committing: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	options := cfg.options(s.guard)
	s.memTableSize = options.MemTableSize
	options.Lock = lock
	options.Cache = pebble.NewCache(cfg.CacheSize)
	defer options.Cache.Unref()
	if isStore {
		err = s.openExisting(options)
	} else {
		err = s.create(options)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openExisting opens the database for reading first: all that opening does to it is done then too, but in memory.
func (s *Store) openExisting(options *pebble.Options) error {
	if err := checkManifest(s.fs, s.dir); err != nil {
		return err
	}
	options.ErrorIfNotExists = true
	trial := *options
	trial.ReadOnly = true
	db, err := pebble.Open(s.dir, &trial)
	if err != nil {
		return damage(err)
	}
	head, err := readHead(db)
	if closeErr := db.Close(); err == nil && closeErr != nil {
		err = errors.Wrap(closeErr, "close after reading")
	}
	if err == nil {
		err = checkHead(s.fs, s.dir, head)
	}
	if err != nil {
		return err
	}
	if err := s.makePrivate(); err != nil {
		return err
	}
	return s.openDatabase(options)
}

// create makes a store in an empty folder, or goes on where creating one was interrupted: nothing was committed then.
func (s *Store) create(options *pebble.Options) error {
	if err := s.makePrivate(); err != nil {
		return err
	}
	if err := beginMarker(s.fs, s.dir); err != nil {
		return errors.Wrap(err, "create "+unfinished)
	}
	if err := s.openDatabase(options); err != nil {
		return err
	}
	if err := finishMarker(s.fs, s.dir); err != nil {
		_ = s.Close() // the first error counts
		return errors.Wrap(err, "create "+markerName)
	}
	return nil
}

func (s *Store) openDatabase(options *pebble.Options) error {
	db, err := pebble.Open(s.dir, options)
	if err != nil {
		return err
	}
	head, err := readHead(db)
	if err == nil {
		err = s.guard.failed()
	}
	if err == nil {
		if s.head, err = openHead(s.fs, s.dir, head, s.log); err != nil {
			err = errors.Wrap(err, "write "+headName)
		}
	}
	if err != nil {
		_ = db.Close() // the first error counts
		return err
	}
	s.db = db
	s.publish(nil, head)
	return nil
}

// readHead returns the zero head of a database that nothing was committed to.
func readHead(db *pebble.DB) (store.Head, error) {
	value, closer, err := db.Get(headKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return store.Head{}, nil
	}
	if err != nil {
		return store.Head{}, errors.Wrap(damage(err), "read head")
	}
	head, err := decodeHead(value)
	if closeErr := closer.Close(); err == nil && closeErr != nil {
		err = errors.Wrap(closeErr, "read head")
	}
	return head, err
}
