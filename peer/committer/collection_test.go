package committer_test

import (
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/committer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A collection counts if something is written in it, be it a key's metadata only.
func TestCollectionHashes(t *testing.T) {
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	collection := func(name string, set *pb.HashedRWSet) *pb.CollectionHashedReadWriteSet {
		return &pb.CollectionHashedReadWriteSet{CollectionName: name, HashedRwset: encode(set), PvtRwsetHash: []byte(name)}
	}
	set := &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{
		{Namespace: "none"},
		{Namespace: "cc", CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{
			collection("read", &pb.HashedRWSet{HashedReads: []*pb.KVReadHash{{KeyHash: []byte("k")}}}),
			collection("written", &pb.HashedRWSet{HashedWrites: []*pb.KVWriteHash{{KeyHash: []byte("k")}}}),
			collection("metadata", &pb.HashedRWSet{MetadataWrites: []*pb.KVMetadataWriteHash{{KeyHash: []byte("k")}}}),
		}},
	}}
	got, err := committer.CollectionHashes(t.Context(), encode(set))
	want := []committer.CollectionHash{
		{Namespace: "cc", Collection: "written", Hash: []byte("written")}, {Namespace: "cc", Collection: "metadata", Hash: []byte("metadata")},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	set.NsRwset[1].CollectionHashedRwset[0].HashedRwset = []byte{0xff}
	for _, b := range [][]byte{{0xff}, encode(set)} {
		if _, err := committer.CollectionHashes(t.Context(), b); err == nil {
			t.Errorf("%x is a read/write set", b)
		}
	}
}
