package kvledger

import (
	"io/fs"
	"path"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
)

// Index is a secondary index of a namespace's documents.
type Index struct {
	// Collection is the collection of private data that it is for; empty is the public state.
	Collection string `json:"collection,omitempty"`
	// Index says what it is of.
	Index *mango.Index `json:"index"`
}

func (x Index) sameAs(y Index) bool { return x.Collection == y.Collection && x.Index.Equal(y.Index) }

// index is what a definition holds of an Index.
type index struct {
	Index
	ID uint32 `json:"id"`
	// Built says that the index has all documents. Until then it has those whose keys are before Next, and some others, all
	// of them as they are now.
	Built bool   `json:"built,omitempty"`
	Next  []byte `json:"next,omitempty"`
}

// indexFolder is where a chaincode package has the files of its indexes (Fabric: core/chaincode/persistence, ccmetadata).
const (
	indexFolder      = "META-INF/statedb/couchdb/indexes"
	collectionFolder = "META-INF/statedb/couchdb/collections"
)

// LoadIndexes reads the indexes that a chaincode package carries: fsys is the folder that META-INF is in. A package without
// any has none. Files whose names don't end in .json are an error, as in Fabric.
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
		x, err := mango.ParseIndex(text)
		if err != nil {
			return nil, errors.Wrapf(err, "read index %s", name)
		}
		indexes = append(indexes, Index{Collection: collection, Index: x})
	}
	return indexes, nil
}

func checkIndexes(d Definition) error {
	type name struct{ collection, ddoc, name string }
	seen := map[name]bool{}
	for i, x := range d.Indexes {
		if x.Index == nil {
			return errors.Errorf("index %d is missing", i)
		}
		if c := x.Collection; c != "" && !strings.HasPrefix(c, implicitCollection) && (&definition{Collections: d.Collections}).collection(c) == nil {
			return errors.Errorf("index %q is for collection %q, which is not defined", x.Index.Name, c)
		}
		n := name{x.Collection, x.Index.Ddoc, x.Index.Name}
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

// builtIndexes are those that a query may use.
func (d *definition) builtIndexes(collection string) []*mango.Index {
	var indexes []*mango.Index
	for _, x := range d.indexesOf(collection) {
		if x.Built {
			indexes = append(indexes, x.Index.Index)
		}
	}
	return indexes
}
