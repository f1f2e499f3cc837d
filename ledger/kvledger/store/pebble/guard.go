package pebble

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"
)

// guard is told what Pebble does in the background, and stands between it and the file system.
//
// After some failures Pebble expects that the process ends. If it wrote anything more, the folder could not be opened again.
// But the process is not ours to end. So the guard lets nothing more be written instead.
//
// It also makes a sync that Pebble leaves out. Without it, the marker that names the current MANIFEST could be on the disk
// before the MANIFEST's own entry in the folder.
type guard struct {
	log     *zap.Logger
	fs      vfs.FS
	dir     string
	failure atomic.Pointer[error] // the first of those
	tables  *tables
}

var (
	_ pebble.Logger    = (*guard)(nil)
	_ errorfs.Injector = (*guard)(nil)
)

// retryDelay is how long a background job that can't write waits before it fails and is tried again. Only Close ends that.
const retryDelay = 100 * time.Millisecond

func (g *guard) Infof(format string, args ...any) { g.log.Sugar().Debugf(format, args...) }

func (g *guard) Errorf(format string, args ...any) { g.log.Sugar().Errorf(format, args...) }

// Fatalf returns, unlike those of other loggers. Pebble then takes for done what is not: its caller asks failed.
func (g *guard) Fatalf(format string, args ...any) {
	g.fail(errors.Errorf(format, args...))
}

func (g *guard) fail(err error) {
	if g.failure.CompareAndSwap(nil, &err) {
		g.log.Error("the store has failed and must be opened again", zap.Error(err))
	}
}

// failed returns what has failed, or nil.
func (g *guard) failed() error {
	if err := g.failure.Load(); err != nil {
		return errors.Wrapf(*err, "the store in data folder %s has failed and must be opened again: "+
			"see that the disk is writable and has room, and start the peer again", g.dir)
	}
	return nil
}

func (g *guard) listener() *pebble.EventListener {
	l := &pebble.EventListener{
		// Whoever reads it gets the error too.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			g.log.Error("a file of the store is damaged", zap.String("file", info.Path), zap.Error(info.Details))
		},
	}
	g.tables.listen(l)
	return l
}

// manifestMarker begins the name of the empty file whose name ends with that of the current MANIFEST.
const manifestMarker = "marker.manifest."

// MaybeError implements errorfs.Injector, which is asked before each operation.
func (g *guard) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose {
		return nil
	}
	err := g.failed()
	switch {
	case op.Kind != errorfs.OpCreate:
		return err
	case err != nil:
		<-time.After(retryDelay)
		return err
	case strings.HasSuffix(op.Path, ".sst"):
		if _, err := g.tables.state(); err != nil {
			<-time.After(retryDelay)
		}
	case strings.HasPrefix(g.fs.PathBase(op.Path), manifestMarker):
		return syncFolder(g.fs, g.dir)
	}
	return nil
}

func (g *guard) String() string { return "guard" }
