package kvledger

// notes is what a transaction has read and written so far, by namespace. It has the form of the read/write set that it
// becomes: reads with their versions, the last write of each key, ranges with what they have yielded.
//
// Most transactions use one namespace and touch few keys. For those the notes are a part of the simulator, and noting costs
// no allocation. What only some transactions have is behind a pointer.
type notes struct {
	namespaces []*namespaceSet // in the order of their first use: few, so a search is quicker than a map

	first     namespaceSet
	onlyFirst [1]*namespaceSet
}

// namespaceSet is what was read and written in one namespace.
type namespaceSet struct {
	name   string
	reads  noted[readVersion]
	writes noted[[]byte]    // nil deletes
	ranges []*rangeIterator // in the order in which they were opened
	rare   *rareSet         // nil until something needs it
}

// rareSet is what most transactions don't have. So it takes no room in those.
type rareSet struct {
	metadata    noted[metadata]
	collections map[string]*collectionSet
	definition  *definition // of the namespace, or nil
	defined     bool        // whether definition was read
}

// collectionSet is what was read and written in one collection. Ranges and rich queries leave no trace, as in Fabric.
type collectionSet struct {
	reads     noted[readVersion]
	writes    noted[privateWrite]
	metadata  noted[metadata]
	valueRead bool // and not only hashes and metadata
}

type privateWrite struct {
	value []byte // nil deletes
	purge bool   // deletes earlier values, too
}

// namespace returns what was noted of a namespace so far.
func (n *notes) namespace(name string) (*namespaceSet, error) {
	for _, set := range n.namespaces {
		if set.name == name {
			return set, nil
		}
	}
	if err := checkName("namespace", name); err != nil {
		return nil, err
	}
	set := &n.first
	if n.namespaces == nil {
		n.namespaces = n.onlyFirst[:0]
	} else {
		set = new(namespaceSet)
	}
	set.name = name
	n.namespaces = append(n.namespaces, set)
	return set, nil
}

// closeRanges closes the ranges that are still open. What they have yielded stays noted.
func (n *notes) closeRanges() {
	for _, set := range n.namespaces {
		for _, it := range set.ranges {
			it.Close()
		}
	}
}

func (n *namespaceSet) needRare() *rareSet {
	if n.rare == nil {
		n.rare = &rareSet{collections: map[string]*collectionSet{}}
	}
	return n.rare
}
