package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// How long the name of an entry may be, and each part of it, in bytes.
const (
	maxName = 1024
	maxPart = 255 // what file systems can do
)

// archive is a .tar.gz that a stranger may have made, and how much of it is accepted.
//
// Nothing of it is believed. Each entry must have a plain name below the folder that it is unpacked to. It must be a file or
// a folder, because links and devices lead elsewhere. No two entries may have the same name, because the second one would
// replace what was checked. What it unpacks to is counted while it is read, because what an archive says of its size may be
// a lie.
type archive struct {
	data []byte
	// size is how many bytes the archive may unpack to. That includes its own structure, and the holes of sparse files.
	size int64
	// files is how many files and folders it may have. That includes folders that only names imply.
	files int
}

// entry is one entry of an archive: a regular file or a folder.
type entry struct {
	*tar.Header
	// path is Name without what is superfluous in it. It is relative, and leads nowhere but down.
	path string
}

// each calls f with each entry in turn, whose content is to be read from r. It is an error if an entry is no file or folder,
// would be outside, is there twice or is too large. Fabric has some of these errors, too (core/container/externalbuilder).
func (a *archive) each(f func(e entry, r io.Reader) error) error {
	gz, err := gzip.NewReader(bytes.NewReader(a.data))
	if err != nil {
		return errors.Wrap(err, "read gzip header")
	}
	limited := &limitedReader{r: gz, left: a.size}
	tr := tar.NewReader(limited)
	names, left := tree{".": true}, a.size
	for {
		header, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errors.Wrap(err, "read next entry")
		}
		e, err := checkEntry(header)
		if err != nil {
			return err
		}
		if left -= header.Size; left < 0 {
			return errors.Wrapf(errTooLarge, "%q", e.path)
		}
		if err := names.add(e.path, header.Typeflag == tar.TypeDir); err != nil {
			return err
		}
		if len(names)-1 > a.files {
			return errors.Errorf("there are more than %d files and folders", a.files)
		}
		if err := f(e, tr); err != nil {
			return err
		}
	}
}

func checkEntry(h *tar.Header) (entry, error) {
	e := entry{Header: h, path: path.Clean(h.Name)}
	switch {
	case len(h.Name) > maxName:
		return e, errors.Errorf("name %q… has %d bytes, the limit is %d", h.Name[:64], len(h.Name), maxName)
	case slices.ContainsFunc(strings.Split(h.Name, "/"), func(part string) bool { return len(part) > maxPart }):
		return e, errors.Errorf("name %q has a part that is longer than %d bytes", h.Name, maxPart)
	case path.IsAbs(h.Name) || !filepath.IsLocal(e.path):
		return e, errors.Errorf("tar contains the absolute or escaping path %q", h.Name)
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir:
		return e, errors.Errorf("invalid file type %q contained in archive for file %q: want regular files and folders", h.Typeflag, h.Name)
	}
	return e, nil
}

// tree is the set of names that are there. A folder's value is true.
type tree map[string]bool

// add adds a name, and the folders that it implies.
func (t tree) add(name string, folder bool) error {
	if was, ok := t[name]; ok && (!was || !folder) {
		return errors.Errorf("%q is there twice", name)
	}
	t[name] = folder
	for name != "." {
		name = path.Dir(name)
		switch isFolder, ok := t[name]; {
		case ok && isFolder:
			return nil
		case ok:
			return errors.Errorf("%q is there twice", name)
		}
		t[name] = true
	}
	return nil
}

var errTooLarge = errors.New("archive unpacks to more than is allowed")

// limitedReader reads up to a limit, and fails at it. An io.LimitedReader would report a normal end.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		l.left = 0
		return 0, errTooLarge
	}
	return n, err
}

// unpack writes the archive's files and folders into dir, which must be there, and nowhere else.
func (a *archive) unpack(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.Wrap(err, "open folder")
	}
	defer func() { _ = root.Close() }()
	return a.each(func(e entry, r io.Reader) error {
		if e.Typeflag == tar.TypeDir {
			return errors.Wrap(root.MkdirAll(e.path, 0o700), "make folder")
		}
		if err := root.MkdirAll(path.Dir(e.path), 0o700); err != nil {
			return errors.Wrap(err, "make folder")
		}
		mode := fs.FileMode(e.Mode)&fs.ModePerm | 0o600 // never setuid, and always readable to the builder
		f, err := root.OpenFile(e.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return errors.Wrap(err, "make file")
		}
		_, err = io.Copy(f, r)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		return errors.Wrapf(err, "unpack %q", e.path)
	})
}
