package portions_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// FuzzUnmarshal decodes in portions of a few bytes what is also decoded at once. The same must come of it.
func FuzzUnmarshal(f *testing.F) {
	kv := &pb.KVRWSet{
		Reads: []*pb.KVRead{{Key: "a"}, {}, {Key: "b", Version: &pb.Version{BlockNum: 300, TxNum: 1}}},
		RangeQueriesInfo: []*pb.RangeQueryInfo{
			{StartKey: "a", ItrExhausted: true, ReadsInfo: &pb.RangeQueryInfo_RawReads{RawReads: &pb.QueryReads{KvReads: []*pb.KVRead{{Key: "a"}, {Key: "c"}}}}},
			{ReadsInfo: &pb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &pb.QueryReadsMerkleSummary{MaxDegree: 50, MaxLevelHashes: [][]byte{{1}, {2}}}}},
		},
		Writes:         []*pb.KVWrite{{Key: "a", Value: []byte("value")}, {Key: "b", IsDelete: true}},
		MetadataWrites: []*pb.KVMetadataWrite{{Key: "m", Entries: []*pb.KVMetadataEntry{{Name: "n", Value: []byte("v")}, {}}}},
	}
	b, err := proto.Marshal(kv)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint8(1))
	f.Add(append(b, b...), uint8(7)) // lists go on, and what is there once is merged
	f.Add(protowire.AppendGroup(protowire.AppendTag(b, 99, protowire.StartGroupType), 99, b), uint8(3))
	f.Add(b[:len(b)-1], uint8(2))
	both := protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), []byte{8, 1})
	both = protowire.AppendBytes(protowire.AppendTag(both, 5, protowire.BytesType), []byte{8, 3, 8, 4})
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), append(both, both...)), uint8(1)) // one of two
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("\x0a\x02\xff\xff")), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, portion uint8) {
		got, want := new(pb.KVRWSet), new(pb.KVRWSet)
		err := portions.UnmarshalBy(t.Context(), b, got, int(portion))
		if wantErr := proto.Unmarshal(b, want); (err == nil) != (wantErr == nil) {
			t.Fatalf("%v in portions, %v at once", err, wantErr)
		}
		if err == nil && !proto.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}
