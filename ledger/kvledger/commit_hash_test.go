package kvledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// kvWrite is Fabric's message of that name.
type kvWrite struct {
	namespace, collection string
	key                   []byte
	value                 []byte // nil deletes
	version               []byte
}

// kvWritesType returns the type of Fabric's message KVWrites, which this library doesn't have.
func kvWritesType(t testing.TB) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, number int32, typ descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &typ, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	writes := field("kvwrites", 1, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
	writes.TypeName, writes.Label = proto.String("KVWrite"), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("commit_hash_test.proto"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("KVWrites"), Field: []*descriptorpb.FieldDescriptorProto{writes}},
			{Name: proto.String("KVWrite"), Field: []*descriptorpb.FieldDescriptorProto{
				field("namespace", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING), field("collection", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING),
				field("key", 3, descriptorpb.FieldDescriptorProto_TYPE_BYTES), field("isDelete", 4, descriptorpb.FieldDescriptorProto_TYPE_BOOL),
				field("value", 5, descriptorpb.FieldDescriptorProto_TYPE_BYTES), field("version", 6, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
			}},
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().ByName("KVWrites")
}

// commitHash computes a commit hash as Fabric does, with protobuf's own encoding.
func commitHash(t testing.TB, codes []kvledger.ValidationCode, writes []kvWrite, previous []byte) []byte {
	t.Helper()
	typ := kvWritesType(t)
	all := dynamicpb.NewMessage(typ)
	list := all.Mutable(typ.Fields().ByName("kvwrites")).List()
	for _, w := range writes {
		m := list.NewElement().Message()
		set := func(name string, value any) {
			m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(value))
		}
		set("namespace", w.namespace)
		set("collection", w.collection)
		set("key", w.key)
		set("isDelete", w.value == nil)
		set("value", w.value)
		set("version", w.version)
		list.Append(protoreflect.ValueOfMessage(m))
	}
	updates, err := proto.MarshalOptions{Deterministic: true}.Marshal(all) // the fields in order
	if err != nil {
		t.Fatal(err)
	}
	b := binary.AppendUvarint(nil, uint64(len(codes)))
	for _, code := range codes {
		b = append(b, byte(code))
	}
	sum := sha256.Sum256(append(append(b, updates...), previous...))
	return sum[:]
}

func commitHashOf(t testing.TB, l *kvledger.Ledger, number uint64) []byte {
	t.Helper()
	b, err := l.Block(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	var m pb.Metadata
	if err := proto.Unmarshal(b.Metadata[pb.BlockMetadataIndex_COMMIT_HASH], &m); err != nil {
		t.Fatal(err)
	}
	return m.GetValue()
}

// TestCommitHash compares commit hashes with what Fabric's peer would compute.
func TestCommitHash(t *testing.T) {
	l := openMemory(t)
	if err := l.Define(t.Context(), ns, kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: "a"}, {Name: "short", BlockToLive: 1}}}); err != nil {
		t.Fatal(err)
	}
	commit(t, l, simulate(t, l, put("gone", "1"), put("old", "2")))
	if got := commitHashOf(t, l, 0); got != nil {
		t.Errorf("block 0 has the commit hash %x", got)
	}
	sim := newSimulator(t, l, "tx")
	for _, err := range []error{
		sim.SetState(t.Context(), "zebra", "k", []byte("z")), sim.SetState(t.Context(), ns, "k", []byte("first")), sim.DeleteState(t.Context(), ns, "gone"),
		sim.SetStateMetadata(t.Context(), ns, "old", map[string][]byte{"m": []byte("1")}), sim.SetStateMetadata(t.Context(), ns, "never", map[string][]byte{"m": []byte("1")}),
		sim.SetPrivateData(t.Context(), ns, "short", "p", []byte("secret")), sim.SetPrivateData(t.Context(), ns, "a", "p", []byte("secret")),
		sim.SetPrivateData(t.Context(), "b", "c", "p", []byte("secret")), sim.DeletePrivateData(t.Context(), ns, "a", "q"),
		sim.SetState(t.Context(), "asset2", "k", []byte("a2")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := commitResults(t, l, &kvledger.Results{RWSet: []byte("garbage")}, r, &kvledger.Results{RWSet: simulate(t, l, put("k", "second"))},
		&kvledger.Results{RWSet: simulate(t, l, get("k"), put("k2", "third"))})
	want := codes(kvledger.BadRWSet, valid, valid, mvcc)
	if !bytes.Equal(commitHashOf(t, l, 1), commitHash(t, want, blockOne(), nil)) {
		t.Errorf("the commit hash of block 1 is another one; its codes are %v", got)
	}
	first := commitHashOf(t, l, 1)
	commit(t, l)
	second := commitHash(t, nil, nil, first)
	if !bytes.Equal(commitHashOf(t, l, 2), second) {
		t.Error("the commit hash of an empty block is another one")
	}
	// What expires with block 3 is no part of it.
	commit(t, l, simulate(t, l, put("k", "3")))
	third := commitHash(t, codes(valid), []kvWrite{{namespace: ns, key: []byte("k"), value: []byte("3"), version: []byte{1, 3, 0}}}, second)
	if !bytes.Equal(commitHashOf(t, l, 3), third) {
		t.Error("the commit hash of a block with which something expires is another one")
	}
	for range 256 {
		commit(t, l)
	}
	before := commitHashOf(t, l, 259)
	commit(t, l, simulate(t, l, put("k", "260")))
	if !bytes.Equal(commitHashOf(t, l, 260), commitHash(t, codes(valid), []kvWrite{{namespace: ns, key: []byte("k"), value: []byte("260"), version: []byte{2, 1, 4, 0}}}, before)) {
		t.Error("the commit hash of a block with a number of two bytes is another one")
	}
}

// blockOne is what block 1 of TestCommitHash changes, in order: public writes of a namespace, and then its collections.
func blockOne() []kvWrite {
	at := func(tx byte) []byte { return []byte{1, 1, 1, tx} }
	p, q, secret := hash([]byte("p")), hash([]byte("q")), hash([]byte("secret"))
	return []kvWrite{
		{namespace: ns, key: []byte("gone"), version: at(1)},
		{key: []byte("k"), value: []byte("second"), version: at(2)},
		{key: []byte("old"), value: []byte("2"), version: at(1)},
		{collection: "a", key: p, value: secret, version: at(1)},
		{key: q, version: at(1)},
		{collection: "short", key: p, value: secret, version: at(1)},
		{namespace: "asset2", key: []byte("k"), value: []byte("a2"), version: at(1)},
		{namespace: "b", collection: "c", key: p, value: secret, version: at(1)},
		{namespace: "zebra", key: []byte("k"), value: []byte("z"), version: at(1)},
	}
}
