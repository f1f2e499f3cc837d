package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/stats"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// What a block of envelopes costs depends on where they are kept. This compares the places, with blocks of a usual size.
const (
	largeBlock = 100   // transactions
	largeShare = 5     // of all keys, one in so many is there
	largeReads = 2_000 // after each round
)

// place is where envelopes are kept. Each is measured by a process of its own, and the processes take turns, as with stores.
type place struct {
	name string
	// open opens the store in a folder.
	open func(dir string) (store.Store, error)
}

// nowhere is the place of a ledger that is given no envelopes.
const nowhere = "nowhere"

func places() []place {
	inStore := func(dir string) (store.Store, error) {
		return pebble.Open(pebble.Config{Dir: filepath.Join(dir, "ledger")})
	}
	return []place{
		{nowhere, inStore},
		{"store", inStore},
		{"file", func(dir string) (store.Store, error) {
			s, err := inStore(dir)
			if err != nil {
				return nil, err
			}
			return newFileStore(s, dir)
		}},
	}
}

// largeRound is how many blocks a place commits in its turn.
const largeRound = 25

// measureLarge measures all places, and prints a line for each.
func measureLarge(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	var processes []*process
	defer func() {
		for _, p := range processes {
			if ending := p.end(); err == nil {
				err = ending
			}
		}
	}()
	for _, place := range places() {
		p, err := startProcess(ctx, cfg, engine{name: place.name}, progress)
		if err != nil {
			return err
		}
		processes = append(processes, p)
		if _, err := p.sample(); err != nil {
			return err
		}
	}
	sums := make([]Large, len(processes))
	rounds := max(cfg.Envelopes/largeRound, 1)
	before := load()
	for round := range rounds {
		for i := range processes {
			i = (i + round) % len(processes)
			s, err := processes[i].round(round)
			if err != nil {
				return err
			}
			sums[i].add(s.Large)
		}
	}
	_, _ = fmt.Fprintf(out, "%d blocks of %d transactions of 2 reads and 2 writes over %d keys, with envelopes of 3 to 5 kB, each block synced.\n"+
		"%d reads of a key after each %d blocks, from one caller. %d CPUs, load %s before, %s after.\n\n",
		rounds*largeRound, largeBlock, cfg.Keys/largeShare, largeReads, largeRound, runtime.NumCPU(), before, load())
	_, _ = fmt.Fprintf(out, "%-9s %9s %9s %12s %10s %10s %10s %10s\n", "envelopes", "commit", "p99", "CPU", "written", "on disk", "read", "p99")
	for i, p := range processes {
		sums[i].write(out, p.name)
	}
	return nil
}

// Large is what one place costs.
type Large struct {
	Commits, Reads []time.Duration
	CPU            time.Duration // of the commits
	Written, Disk  int64         // bytes, since the store was filled
}

func (l *Large) add(more *Large) {
	l.Commits, l.Reads, l.CPU = append(l.Commits, more.Commits...), append(l.Reads, more.Reads...), l.CPU+more.CPU
	l.Written, l.Disk = more.Written, more.Disk
}

func (l *Large) write(w io.Writer, name string) {
	commit, commit99 := quantiles(l.Commits)
	read, read99 := quantiles(l.Reads)
	_, _ = fmt.Fprintf(w, "%-9s %6.2f ms %6.2f ms %6.2f ms/bl %7.0f MB %7.0f MB %7.2f us %7.1f us\n", name,
		commit, commit99, ms(l.CPU)/float64(len(l.Commits)), float64(l.Written)/1e6, float64(l.Disk)/1e6, read*1000, read99*1000)
}

// serveLarge measures one place, as serve does.
func serveLarge(ctx context.Context, cfg Config, in io.Reader, out io.Writer) (err error) {
	at := slices.IndexFunc(places(), func(p place) bool { return p.name == cfg.Engine })
	dir, err := os.MkdirTemp("", "benchledger")
	if err != nil {
		return errors.Wrap(err, "make data folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := places()[at].open(dir)
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	b, err := newBench(ctx, Config{Keys: cfg.Keys / largeShare}, s)
	if err != nil {
		return err
	}
	l := &largeBench{bench: b, dir: dir, bare: cfg.Engine == nowhere, envelopes: newEnveloper(), before: written()}
	return answer(in, out, func(int) (Sample, error) {
		measured, err := l.round(ctx)
		return Sample{Large: measured}, err
	})
}

// largeBench is a ledger in one place.
type largeBench struct {
	*bench
	dir       string
	bare      bool // it has no envelopes
	envelopes *enveloper
	before    int64 // bytes that were written when it was filled
}

func (b *largeBench) round(ctx context.Context) (*Large, error) {
	l := &Large{}
	for range largeRound {
		block, err := b.largeBlock(ctx)
		if err != nil {
			return nil, err
		}
		begin, used := time.Now(), cpu()
		if err := b.commit(ctx, block); err != nil {
			return nil, err
		}
		l.Commits, l.CPU = append(l.Commits, time.Since(begin)), l.CPU+cpu()-used
	}
	for range largeReads {
		took, err := b.readKey(ctx)
		if err != nil {
			return nil, err
		}
		l.Reads = append(l.Reads, took)
	}
	l.Written = written() - b.before
	var err error
	l.Disk, err = size(b.dir)
	return l, err
}

func (b *largeBench) largeBlock(ctx context.Context) (kvledger.Block, error) {
	block, err := b.simulateBlock(ctx, largeBlock)
	if err != nil || b.bare {
		return block, err
	}
	for i := range block.Transactions {
		tx := &block.Transactions[i]
		if tx.Envelope, err = b.envelopes.envelope(tx.TxID, tx.RWSet); err != nil {
			return block, err
		}
		tx.RWSet = nil
	}
	return block, nil
}

func (b *largeBench) readKey(ctx context.Context) (took time.Duration, err error) {
	sim, err := b.ledger.NewSimulator(ctx, "read")
	if err != nil {
		return 0, err
	}
	defer sim.Done()
	key := b.key(rand.IntN(b.keys))
	begin := time.Now()
	value, err := sim.GetState(ctx, namespace, key)
	if err == nil && len(value) != valueSize {
		err = errors.Errorf("key %s has a value of %d bytes", key, len(value))
	}
	return time.Since(begin), err
}

// quantiles returns the median and the 99th percentile in milliseconds.
func quantiles(d []time.Duration) (median, p99 float64) {
	values := all(d)
	slices.Sort(values)
	return stats.Quantile(values, 0.5), stats.Quantile(values, 0.99)
}

// written is how many bytes this process has had written to disks. It is 0 where the system doesn't say.
func written() int64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var n int64
	_, after, _ := strings.Cut(string(b), "\nwrite_bytes: ")
	_, _ = fmt.Sscan(after, &n) // 0
	return n
}

func size(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, errors.Wrap(err, "measure data folder")
}

// fileStore keeps the parts of blocks in a file, which it syncs before each commit. It is good enough to be measured: it can't
// be read, nor opened again after a crash.
type fileStore struct {
	store.Store
	file *os.File
	at   uint64
}

func newFileStore(s store.Store, dir string) (store.Store, error) {
	f, err := os.Create(filepath.Join(dir, "blocks"))
	return &fileStore{Store: s, file: f}, errors.Wrap(err, "create file of blocks")
}

func (s *fileStore) Commit(ctx context.Context, b *store.Batch) error {
	const partOfBlock, small = "bench\x00k", 1 << 10
	for i := range b.Writes {
		w := &b.Writes[i]
		if !strings.HasPrefix(w.Key, partOfBlock) || len(w.Value) < small {
			continue
		}
		if _, err := s.file.Write(w.Value); err != nil {
			return errors.Wrap(err, "write block")
		}
		at := binary.AppendUvarint(binary.AppendUvarint(nil, s.at), uint64(len(w.Value)))
		s.at += uint64(len(w.Value))
		w.Value = at
	}
	if err := s.file.Sync(); err != nil {
		return errors.Wrap(err, "sync blocks")
	}
	return s.Store.Commit(ctx, b)
}

func (s *fileStore) Close() error {
	err := s.file.Close()
	if closing := s.Store.Close(); err == nil {
		err = closing
	}
	return errors.WithMessage(err, "close file of blocks")
}
