package builder

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"regexp"

	"github.com/pkg/errors"
)

// Limits are how much ParsePackage accepts.
type Limits struct {
	// PackageSize is how many bytes a package may have. It also limits what the package holds: code.tar.gz and
	// metadata.json. Zero means 100 MiB, which is what one message to a Fabric peer can hold.
	PackageSize int64
	// SourceSize is how many bytes code.tar.gz may have when it is unpacked. Zero means 1 GiB.
	SourceSize int64
	// SourceFiles is how many files and folders code.tar.gz may have. Zero means 100,000.
	SourceFiles int
}

func (l Limits) complete() Limits {
	if l.PackageSize == 0 {
		l.PackageSize = 100 << 20
	}
	if l.SourceSize == 0 {
		l.SourceSize = 1 << 30
	}
	if l.SourceFiles == 0 {
		l.SourceFiles = 100_000
	}
	return l
}

// Package is a chaincode package: a .tar.gz with a metadata.json and a code.tar.gz, as "peer lifecycle chaincode package"
// makes them (Fabric: core/chaincode/persistence).
type Package struct {
	// ID is the package ID, and so the chaincode ID of what is built of it. It is Label, a colon, and the SHA-256 of the
	// whole package in hexadecimal digits.
	ID string
	// Type, Path and Label are what metadata.json says. Type and Path mean something only to builders.
	Type, Path, Label string

	metadata []byte
	code     archive
}

// The names of what a package holds.
const (
	metadataFile = "metadata.json"
	codeFile     = "code.tar.gz"
)

// maxLabel is how many bytes a label may have. The package ID becomes the name of a folder, which has at most 255 bytes.
const maxLabel = 255 - 1 - 2*sha256.Size

// The forms of labels and package IDs. Fabric's own expression for labels lets through more than its error text says.
var (
	labelPattern     = regexp.MustCompile(`^[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*$`)
	packageIDPattern = regexp.MustCompile(`^[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[0-9a-f]{64}$`)
)

func isPackageID(id string) bool {
	return len(id) <= maxLabel+1+2*sha256.Size && packageIDPattern.MatchString(id)
}

// ParsePackage reads a package and looks through all of it. It writes nothing. A Package that it returns can be unpacked
// safely. It refuses packages that exceed the limits. It also refuses code that has anything but regular files and folders,
// names that are absolute or lead elsewhere, or the same name twice. The errors have Fabric's texts where Fabric has one.
func ParsePackage(r io.Reader, limits Limits) (*Package, error) {
	limits = limits.complete()
	data, err := io.ReadAll(&limitedReader{r: r, left: limits.PackageSize})
	if err != nil {
		return nil, errors.Wrap(err, "read chaincode package")
	}
	p := &Package{}
	if err := p.readOuter(archive{data: data, size: limits.PackageSize, files: 16}); err != nil {
		return nil, errors.Wrap(err, "parse chaincode package")
	}
	if err := p.readMetadata(); err != nil {
		return nil, errors.Wrap(err, "parse chaincode package")
	}
	p.code.size, p.code.files = limits.SourceSize, limits.SourceFiles
	if err := p.code.each(readThrough); err != nil {
		return nil, errors.Wrapf(err, "parse %s of chaincode package", codeFile)
	}
	sum := sha256.Sum256(data)
	p.ID = p.Label + ":" + hex.EncodeToString(sum[:])
	return p, nil
}

func readThrough(_ entry, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return errors.Wrap(err, "read entry")
}

// readOuter reads the two files of the package. Anything else is ignored, as in Fabric.
func (p *Package) readOuter(a archive) error {
	err := a.each(func(e entry, r io.Reader) (err error) {
		if e.Typeflag != tar.TypeReg {
			return errors.Errorf("tar entry %q is not a regular file, type %q", e.Name, e.Typeflag)
		}
		switch e.Name {
		case metadataFile:
			p.metadata, err = io.ReadAll(r)
		case codeFile:
			p.code.data, err = io.ReadAll(r)
		}
		return errors.Wrapf(err, "read %q", e.Name)
	})
	switch {
	case err != nil:
		return err
	case p.code.data == nil:
		return errors.New("did not find a code package inside the package")
	case p.metadata == nil:
		return errors.Errorf("did not find any package metadata (missing %s)", metadataFile)
	}
	return nil
}

func (p *Package) readMetadata() error {
	var metadata struct{ Type, Path, Label string }
	if err := json.Unmarshal(p.metadata, &metadata); err != nil {
		return errors.Wrapf(err, "could not unmarshal %s as json", metadataFile)
	}
	if n := len(metadata.Label); n > maxLabel {
		return errors.Errorf("label has %d bytes, the limit is %d", n, maxLabel)
	}
	if !labelPattern.MatchString(metadata.Label) {
		return errors.Errorf("invalid label %q. Label must be non-empty, can only consist of alphanumerics, symbols from '.+-_', "+
			"and can only begin with alphanumerics", metadata.Label)
	}
	p.Type, p.Path, p.Label = metadata.Type, metadata.Path, metadata.Label
	return nil
}
