package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

func TestShowKey(t *testing.T) {
	for key, want := range map[string]string{
		"":                               `""`,
		"a1":                             "a1",
		"a 1":                            "a 1",
		"a\n1":                           `"a\n1"`,
		"\x00owner\x00tom\x00a1\x00":     "composite(owner, tom, a1)",
		"\x00owner\x00":                  "composite(owner)",
		"\x00owner\x00\x00":              `composite(owner, "")`,
		"\x00owner\x00t\x1b\x00":         `composite(owner, "t\x1b")`,
		"\x00owner\x00tom\x00\U0010ffff": "composite(owner, tom, …)",
		"\x00owner":                      `"\x00owner"`,
		"owner\x00":                      `"owner\x00"`,
		"owner\x00\U0010ffff":            `"owner\x00\U0010ffff"`,
		strings.Repeat("k", 70):          strings.Repeat("k", maxShown) + "…",
	} {
		if got := showKey(key); got != want {
			t.Errorf("%q is shown as %s, want %s", key, got, want)
		}
	}
	if key := compositeKey([]string{"owner", "tom"}); key != "\x00owner\x00tom\x00" {
		t.Errorf("the composite key is %q", key)
	}
}

func TestShowBytes(t *testing.T) {
	for value, want := range map[string]string{
		"":                         `""`,
		`{"a":"é"}`:                `{"a":"é"}`,
		"two\nlines":               `"two\nlines"`,
		"\x1b[2J":                  "0x1b5b324a",
		"\xff":                     "0xff",
		strings.Repeat("é", 200):   strings.Repeat("é", 200),
		strings.Repeat("é", 201):   strings.Repeat("é", 200) + "… (402 bytes)",
		strings.Repeat("\x00", 32): "0x" + strings.Repeat("00", 32),
		strings.Repeat("\x00", 33): "0x" + strings.Repeat("00", 32) + "… (33 bytes)",
	} {
		if got := showBytes([]byte(value)); got != want {
			t.Errorf("%q is shown as %s, want %s", value, got, want)
		}
	}
}

// marshal marshals a message.
func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rareRWSet has what TestLook has not.
func rareRWSet(t testing.TB) []byte {
	entries := []*pb.KVMetadataEntry{{Name: "b", Value: []byte{1}}, {Name: "a"}}
	return marshal(t, &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{{
		Namespace: "n",
		Rwset: marshal(t, &pb.KVRWSet{
			RangeQueriesInfo: []*pb.RangeQueryInfo{
				{StartKey: "a", EndKey: "b", ReadsInfo: &pb.RangeQueryInfo_RawReads{RawReads: &pb.QueryReads{}}},
				{StartKey: "a", ItrExhausted: true, ReadsInfo: &pb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &pb.QueryReadsMerkleSummary{
					MaxDegree: 50, MaxLevel: 2, MaxLevelHashes: [][]byte{{1, 2}, {3}},
				}}},
			},
			MetadataWrites: []*pb.KVMetadataWrite{{Key: "k", Entries: entries}, {Key: "l"}},
		}),
		CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{{CollectionName: "c", HashedRwset: marshal(t, &pb.HashedRWSet{
			HashedReads:    []*pb.KVReadHash{{KeyHash: []byte{1}}},
			HashedWrites:   []*pb.KVWriteHash{{KeyHash: []byte{2}, IsDelete: true}, {KeyHash: []byte{3}, IsDelete: true, IsPurge: true}},
			MetadataWrites: []*pb.KVMetadataWriteHash{{KeyHash: []byte{4}, Entries: entries[:1]}},
		})}},
	}}})
}

func TestPrintTransaction(t *testing.T) {
	rwset, err := decodeRWSet(rareRWSet(t))
	if err != nil {
		t.Fatal(err)
	}
	const head = "transaction \"\\x1bid\"\n  BAD_RWSET, block 0 of ch, position 0, 0001-01-01 00:00:00Z\n"
	for _, c := range []struct {
		tx   txJSON
		want string
	}{
		{txJSON{RWSet: rwset}, head + `n
  range     a to b, not to its end: nothing
  range     a to the end: many, as a Merkle tree of degree 50, level 2: [0102 03]
  metadata  k: a="", b=0x01
  metadata  l: (deleted)
n, collection c, by hashes
  read      01 (absent)
  delete    02
  purge     03
  metadata  04: b=0x01
`},
		{txJSON{Undecoded: []byte{0xff}}, head + "  what it committed is no read/write set: 0xff\n"},
		{txJSON{RWSet: []namespaceRWSet{}}, head},
	} {
		c.tx.Channel, c.tx.TxID, c.tx.Code = "ch", "\x1bid", "BAD_RWSET"
		var b bytes.Buffer
		c.tx.print(&b, false)
		if b.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", &b, c.want)
		}
	}
}

// FuzzPrintTransaction prints whatever may have been committed, as what a terminal shows as it is.
func FuzzPrintTransaction(f *testing.F) {
	f.Add(rareRWSet(f))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		tx := &txJSON{Undecoded: b}
		if rwset, err := decodeRWSet(b); err == nil {
			tx = &txJSON{RWSet: rwset}
		}
		var text strings.Builder
		tx.print(&text, false)
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q is printed as %q", b, text.String())
		}
	})
}
