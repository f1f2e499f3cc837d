package block_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestLastConfig(t *testing.T) {
	slot := func(m proto.Message) []byte {
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(&pb.Metadata{Value: value})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	signed, old := slot(&pb.OrdererBlockMetadata{LastConfig: &pb.LastConfig{Index: 7}}), slot(&pb.LastConfig{Index: 5})
	for _, c := range []struct {
		name     string
		metadata [][]byte
		want     uint64
		err      string
	}{
		{"nothing", nil, 0, ""},
		{"empty slots", make([][]byte, 5), 0, ""},
		{"as orderers say it", [][]byte{signed, nil}, 7, ""},
		{"in both slots", [][]byte{signed, old}, 7, ""},
		{"as they once did", [][]byte{nil, old}, 5, ""},
		{"no Metadata", [][]byte{{1}}, 0, "decode Metadata in slot SIGNATURES"},
		{"no OrdererBlockMetadata", [][]byte{{10, 1, 1}}, 0, "decode OrdererBlockMetadata"},
		{"no LastConfig", [][]byte{nil, {10, 1, 1}}, 0, "decode LastConfig"},
	} {
		got, err := block.LastConfig(c.metadata)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v", c.name, got, err)
		}
	}
}
