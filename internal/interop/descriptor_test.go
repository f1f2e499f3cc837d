package interop_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	_ "github.com/hyperledger/fabric-protos-go-apiv2/common"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// TestDescriptors compares every message and enum of ours with the official one of the same name, field by field and
// value by value. Ours must have all that the official one has, and nothing else.
func TestDescriptors(t *testing.T) {
	ours := described(func(pkg protoreflect.FullName) bool { return pkg == pb.File_ccpeer_chaincode_shim_proto.Package() })
	theirs := described(func(pkg protoreflect.FullName) bool {
		return slices.Contains([]protoreflect.FullName{"protos", "common", "msp", "queryresult", "rwset", "kvrwset"}, pkg)
	})
	if len(ours) < 50 {
		t.Errorf("only %d descriptors of ours were found", len(ours))
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if len(ours[name]) != 1 || len(theirs[name]) != 1 {
			t.Errorf("%s is the name of %d messages or enums of ours and %d official ones", name, len(ours[name]), len(theirs[name]))
			continue
		}
		got, want := ours[name][0], theirs[name][0]
		for _, member := range slices.Sorted(maps.Keys(merged(got, want))) {
			if got[member] != want[member] {
				t.Errorf("%s, %s: %q, officially %q", name, member, got[member], want[member])
			}
		}
	}
}

// description says what a message's fields or an enum's values are, by number.
type description map[string]string

func merged(a, b description) description {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// described returns the messages and enums in the packages, by name without package.
func described(in func(pkg protoreflect.FullName) bool) map[string][]description {
	all := map[string][]description{}
	add := func(d protoreflect.Descriptor, members description) {
		all[relative(d)] = append(all[relative(d)], members)
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if in(f.Package()) {
			addEnums(f.Enums(), add)
			addMessages(f.Messages(), add)
		}
		return true
	})
	return all
}

func addMessages(ms protoreflect.MessageDescriptors, add func(protoreflect.Descriptor, description)) {
	for i := range ms.Len() {
		m := ms.Get(i)
		members := description{"syntax": m.ParentFile().Syntax().String(), "map entry": fmt.Sprint(m.IsMapEntry())}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			members[fmt.Sprintf("field %d", f.Number())] = describeField(f)
		}
		add(m, members)
		addEnums(m.Enums(), add)
		addMessages(m.Messages(), add)
	}
}

func addEnums(es protoreflect.EnumDescriptors, add func(protoreflect.Descriptor, description)) {
	for i := range es.Len() {
		e := es.Get(i)
		members := description{}
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			members[fmt.Sprintf("value %d", v.Number())] += string(v.Name()) + " "
		}
		add(e, members)
	}
}

func describeField(f protoreflect.FieldDescriptor) string {
	typ := f.Kind().String()
	if m := f.Message(); m != nil {
		typ += " " + relative(m)
	}
	if e := f.Enum(); e != nil {
		typ += " " + relative(e)
	}
	text := fmt.Sprintf("%s %s %s json %s", f.Name(), f.Cardinality(), typ, f.JSONName())
	for _, is := range []struct {
		it   bool
		text string
	}{{f.IsMap(), " map"}, {f.IsPacked(), " packed"}, {f.HasPresence(), " present or absent"}} {
		if is.it {
			text += is.text
		}
	}
	if o := f.ContainingOneof(); o != nil {
		text += " of " + string(o.Name())
	}
	return text
}

// relative is a descriptor's name without its package. Well-known types have one name for all.
func relative(d protoreflect.Descriptor) string {
	if pkg := d.ParentFile().Package(); pkg != "google.protobuf" {
		return string(d.FullName()[len(pkg)+1:])
	}
	return string(d.FullName())
}

// TestServices compares what the services are called on the wire: ours are registered, and asked for by their official names.
func TestServices(t *testing.T) {
	srv := grpc.NewServer()
	pbgrpc.RegisterChaincodeSupportServer(srv, nil)
	pbgrpc.RegisterChaincodeServer(srv, nil)
	var got []string
	for service, info := range srv.GetServiceInfo() {
		for _, m := range info.Methods {
			got = append(got, "/"+service+"/"+m.Name)
		}
	}
	slices.Sort(got)
	want := []string{peer.Chaincode_Connect_FullMethodName, peer.ChaincodeSupport_Register_FullMethodName}
	if !slices.Equal(got, want) {
		t.Errorf("the services are called %q, officially %q", got, want)
	}
}
