package builder

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
)

// The names in a build's folder. They are those of Fabric's peer.
const (
	infoFile      = "build-info.json"
	outputFolder  = "bld"
	releaseFolder = "release"
)

// buildInfo is what infoFile holds: the one thing that can't be seen in what was built.
type buildInfo struct {
	BuilderName string `json:"builder_name"`
}

// ErrNotBuilt is returned by Built for a package that has not been built.
var ErrNotBuilt = errors.New("chaincode has not been built: its package is to be installed first")

// Build is a chaincode package that has been built.
type Build struct {
	// PackageID is the chaincode's ID.
	PackageID string
	// Builder is the name of its builder.
	Builder string

	runtime *Runtime
	builder *Builder
	dir     string
}

// folder returns the path where the build of a package is kept. As in Fabric, it has a dash for the colon.
func (r *Runtime) folder(packageID string) string {
	return filepath.Join(r.cfg.Dir, strings.Replace(packageID, ":", "-", 1))
}

// isBuild reports whether a name is such as folder makes.
func isBuild(name string) bool {
	dash := strings.LastIndexByte(name, '-') // a label may have others; a hash has none
	return dash > 0 && isPackageID(name[:dash]+":"+name[dash+1:])
}

// Built returns the build of a package, or ErrNotBuilt.
func (r *Runtime) Built(packageID string) (*Build, error) {
	if !isPackageID(packageID) {
		return nil, errors.Errorf("chaincode ID %.300q is not a package ID: want a label, a colon and 64 hexadecimal digits", packageID)
	}
	b := &Build{PackageID: packageID, runtime: r, dir: r.folder(packageID)}
	if _, err := os.Stat(b.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	text, err := os.ReadFile(filepath.Join(b.dir, infoFile))
	if err != nil {
		return nil, errors.Wrapf(err, "read build info of %s", packageID)
	}
	var info buildInfo
	if err := json.Unmarshal(text, &info); err != nil {
		return nil, errors.Wrapf(err, "decode build info of %s", packageID)
	}
	b.Builder = info.BuilderName
	for i := range r.cfg.Builders {
		if r.cfg.Builders[i].Name == b.Builder {
			b.builder = &r.cfg.Builders[i]
			return b, nil
		}
	}
	return nil, errors.Errorf("chaincode %q was already built with builder %q, but that builder is no longer available", packageID, b.Builder)
}

// server returns how to dial the chaincode, or nil if it isn't a server.
func (b *Build) server() (*dial.Runtime, error) {
	file, err := os.ReadFile(filepath.Join(b.dir, releaseFolder, "chaincode", "server", "connection.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "read connection.json")
	}
	said, err := dial.ParseConnection(file)
	if err != nil {
		return nil, err
	}
	cfg := b.runtime.cfg.Dial
	cfg.Address, cfg.TLS, cfg.DialTimeout, cfg.RetryFor = said.Address, said.TLS, said.DialTimeout, said.RetryFor
	return dial.New(cfg)
}

// Metadata returns a file system that has under META-INF what the builder's release has for the peer. If the builder
// releases files of indexes, they are in META-INF/statedb/couchdb, where kvledger.LoadIndexes looks for them. There is
// nothing but META-INF, and the root can't be opened. It is there for as long as the build is.
func (b *Build) Metadata() fs.FS {
	return metaInf{os.DirFS(filepath.Join(b.dir, releaseFolder))}
}

type metaInf struct{ release fs.FS }

// Open implements fs.FS.
func (m metaInf) Open(name string) (fs.File, error) {
	if name == "META-INF" {
		return m.release.Open(".")
	}
	if inside, ok := strings.CutPrefix(name, "META-INF/"); ok && fs.ValidPath(name) {
		return m.release.Open(inside)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
