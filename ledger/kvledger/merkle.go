package kvledger

import (
	"crypto/sha256"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// maxDegree is how many results of a range query are noted one by one. It is also how many hashes a summary has at most
// (Fabric's ledgerconfig, MaxDegreeQueryReadsHashing).
const maxDegree = 50

// queryReads notes the results of a range query as Fabric does (rwsetutil, RangeQueryResultsHelper). Up to degree results
// are noted one by one. More are noted as a Merkle tree, which is built as results come in. Each group of degree+1 results
// is a leaf, and each group of degree+1 nodes of one level is a node of the next.
type queryReads struct {
	degree  int
	pending []queryRead
	levels  [][][]byte // hashes of each level that have no parent yet, the leaves first
}

type queryRead struct {
	key     string
	version version
}

func newQueryReads(degree int) queryReads { return queryReads{degree: degree} }

func (q *queryReads) add(key string, v version) error {
	q.pending = append(q.pending, queryRead{key, v})
	if len(q.pending) <= q.degree {
		return nil
	}
	return q.addLeaf()
}

// addLeaf makes a leaf of the pending results, and parents of the groups that are then complete.
func (q *queryReads) addLeaf() error {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb.QueryReads{KvReads: q.raw()})
	if err != nil {
		return errors.Wrap(err, "marshal QueryReads")
	}
	q.pending = q.pending[:0]
	hash := sha256.Sum256(b)
	q.push(0, hash[:])
	for level := 0; len(q.levels[level]) > q.degree; level++ {
		q.raise(level)
	}
	return nil
}

func (q *queryReads) push(level int, hash []byte) {
	if level == len(q.levels) {
		q.levels = append(q.levels, nil)
	}
	q.levels[level] = append(q.levels[level], hash)
}

// raise replaces the hashes of a level by one hash of the next level.
func (q *queryReads) raise(level int) {
	h := sha256.New()
	for _, hash := range q.levels[level] {
		h.Write(hash)
	}
	q.levels[level] = nil
	q.push(level+1, h.Sum(nil))
}

// raw returns the pending results. A scan makes many of them, so they are allocated in three pieces, not in two for each
// result.
func (q *queryReads) raw() []*pb.KVRead {
	var (
		reads    = make([]pb.KVRead, len(q.pending))
		versions = make([]pb.Version, len(q.pending))
		raw      = make([]*pb.KVRead, len(q.pending))
	)
	for i, r := range q.pending {
		versions[i].BlockNum, versions[i].TxNum = r.version.block, r.version.tx
		reads[i].Key, reads[i].Version = r.key, &versions[i]
		raw[i] = &reads[i]
	}
	return raw
}

// result completes the tree. Nodes that have no siblings to wait for move up to the highest level, and a single one moves as
// it is. If there were no more results than degree, it returns the results themselves. Call it once, at the end.
func (q *queryReads) result() ([]*pb.KVRead, *pb.QueryReadsMerkleSummary, error) {
	if len(q.levels) == 0 {
		return q.raw(), nil, nil
	}
	if len(q.pending) > 0 {
		if err := q.addLeaf(); err != nil {
			return nil, nil, err
		}
	}
	top := len(q.levels) - 1
	for level := 0; level < top; level++ {
		switch hashes := q.levels[level]; len(hashes) {
		case 0:
		case 1:
			q.push(level+1, hashes[0])
		default:
			q.raise(level)
		}
	}
	if len(q.levels[top]) > q.degree {
		q.raise(top)
		top++
	}
	return nil, &pb.QueryReadsMerkleSummary{
		MaxDegree: uint32(q.degree), MaxLevel: uint32(top) + 1, MaxLevelHashes: q.levels[top],
	}, nil
}
