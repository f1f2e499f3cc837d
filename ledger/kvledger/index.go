package kvledger

import (
	"io/fs"
	"path"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// Index is a secondary index of a namespace's documents. ParseIndex and LoadIndexes make one.
type Index struct {
	// Collection is the collection of private data that the index is for. If it is empty, the index is for the public state.
	Collection string

	of *mango.Index // nil if there is none
}

// ParseIndex parses the definition of an index of the public state, such as
//
//	{"index": {"fields": ["owner", {"size": "asc"}]}, "ddoc": "indexOwnerDoc", "name": "indexOwner", "type": "json"}
//
// The index may have a partial_filter_selector. Then only those queries use it that name it by use_index. The type may be
// left out, because json is the only one. ddoc and name may be left out, too, and are then a hash of the rest. What Fabric
// or CouchDB would refuse is an error for people to read. So are an index without fields, and one that has the same field
// twice.
func ParseIndex(file []byte) (Index, error) {
	of, err := mango.ParseIndex(file)
	if err != nil {
		return Index{}, err
	}
	return Index{of: of}, nil
}

// In returns the same index for a collection.
func (x Index) In(collection string) Index { return Index{Collection: collection, of: x.of} }

// Name returns the index's name, and that of its design document without the prefix "_design/".
func (x Index) Name() IndexName {
	if x.of == nil {
		return IndexName{}
	}
	return IndexName{Ddoc: x.of.Ddoc, Name: x.of.Name}
}

// Equal reports whether two indexes are for the same collection, have the same name and are defined in the same way.
func (x Index) Equal(y Index) bool {
	if x.of == nil || y.of == nil {
		return x == y
	}
	return x.Collection == y.Collection && x.of.Equal(y.of)
}

// index is what a definition holds of an Index.
type index struct {
	Collection string       `json:"collection,omitempty"`
	Of         *mango.Index `json:"index"`
	ID         uint32       `json:"id"`
	// Built says that the index has all documents. Before, it has those whose keys come before Next, and some others. All of
	// these are up to date.
	Built bool   `json:"built,omitempty"`
	Next  []byte `json:"next,omitempty"`
}

// indexFolder is where a chaincode package has the files of its indexes (Fabric: core/chaincode/persistence, ccmetadata).
const (
	indexFolder      = "META-INF/statedb/couchdb/indexes"
	collectionFolder = "META-INF/statedb/couchdb/collections"
)

// LoadIndexes reads the indexes that a chaincode package carries. fsys is the folder that META-INF is in. A package may have
// none. A file whose name doesn't end in .json is an error, as in Fabric.
func LoadIndexes(fsys fs.FS) ([]Index, error) {
	indexes, err := loadIndexes(fsys, indexFolder, "")
	if err != nil {
		return nil, err
	}
	collections, err := fs.ReadDir(fsys, collectionFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Wrap(err, "read indexes of collections")
	}
	for _, c := range collections {
		more, err := loadIndexes(fsys, path.Join(collectionFolder, c.Name(), "indexes"), c.Name())
		if err != nil {
			return nil, err
		}
		indexes = append(indexes, more...)
	}
	return indexes, nil
}

func loadIndexes(fsys fs.FS, folder, collection string) ([]Index, error) {
	files, err := fs.ReadDir(fsys, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "read indexes")
	}
	var indexes []Index
	for _, file := range files {
		name := path.Join(folder, file.Name())
		if file.IsDir() || path.Ext(name) != ".json" {
			return nil, errors.Errorf("%s is not an index: want files whose names end in .json", name)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, errors.Wrap(err, "read index")
		}
		x, err := ParseIndex(text)
		if err != nil {
			return nil, errors.Wrapf(err, "read index %s", name)
		}
		indexes = append(indexes, x.In(collection))
	}
	return indexes, nil
}

func checkIndexes(d Definition) error {
	type name struct{ collection, ddoc, name string }
	seen := map[name]bool{}
	for i, x := range d.Indexes {
		if x.of == nil {
			return errors.Errorf("index %d is missing", i)
		}
		if c := x.Collection; c != "" && !strings.HasPrefix(c, ledger.ImplicitCollectionPrefix) && (&definition{Collections: d.Collections}).collection(c) == nil {
			return errors.Errorf("index %q is for collection %q, which is not defined", x.of.Name, c)
		}
		n := name{x.Collection, x.of.Ddoc, x.of.Name}
		if seen[n] {
			return errors.Errorf("there are two indexes %q of design document %q", n.name, n.ddoc)
		}
		seen[n] = true
	}
	return nil
}

// indexesOf returns the indexes of the public state, or of a collection.
func (d *definition) indexesOf(collection string) []*index {
	if d == nil {
		return nil
	}
	var indexes []*index
	for _, x := range d.Indexes {
		if x.Collection == collection {
			indexes = append(indexes, x)
		}
	}
	return indexes
}

// builtIndexes returns the indexes that a query may use.
func (d *definition) builtIndexes(collection string) []*mango.Index {
	var indexes []*mango.Index
	for _, x := range d.indexesOf(collection) {
		if x.Built {
			indexes = append(indexes, x.Of)
		}
	}
	return indexes
}
