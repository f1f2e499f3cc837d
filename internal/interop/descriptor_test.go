package interop_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	_ "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/discovery"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	_ "github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
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
		return slices.Contains(officialPackages, pkg)
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
		members := merged(got, want)
		if slices.Contains(partly, name) {
			members = got
		}
		for _, member := range slices.Sorted(maps.Keys(members)) {
			if got[member] != want[member] {
				t.Errorf("%s, %s: %q, officially %q", name, member, got[member], want[member])
			}
		}
	}
}

var officialPackages = []protoreflect.FullName{
	"protos", "common", "msp", "queryresult", "rwset", "kvrwset", "gateway", "orderer", "etcdraft", "discovery", "gossip",
}

// renamed has those of ours that have another name than the official one, because packages of Fabric share names.
var renamed = map[protoreflect.FullName]string{
	"common.ApplicationPolicy": "not sent", // Fabric's peers send that of protos
	"orderer.DeliverResponse":  "OrdererDeliverResponse",

	// Orderers and peers send these to each other.
	"orderer.SubmitRequest":  "not sent to clients",
	"orderer.SubmitResponse": "not sent to clients",
	"etcdraft.BlockMetadata": "not sent to clients",
	"gossip.Payload":         "not sent to clients",

	"etcdraft.ConfigMetadata": "EtcdRaftMetadata",
	"etcdraft.Consenter":      "EtcdRaftConsenter",
	"etcdraft.Options":        "EtcdRaftOptions",

	"gossip.Envelope":   "GossipEnvelope",
	"gossip.Properties": "GossipProperties",
	"gossip.Chaincode":  "GossipChaincode",
	"gossip.Member":     "GossipMember",

	"discovery.SignedRequest": "SignedDiscoveryRequest",
	"discovery.Request":       "DiscoveryRequest",
	"discovery.Response":      "DiscoveryResponse",
	"discovery.AuthInfo":      "DiscoveryAuthInfo",
	"discovery.Query":         "DiscoveryQuery",
	"discovery.QueryResult":   "DiscoveryResult",
	"discovery.Error":         "DiscoveryError",
	"discovery.Peers":         "DiscoveredPeers",
	"discovery.Peer":          "DiscoveredPeer",
}

// partly are those of which ours leave fields out, which then are only compared as far as ours go.
var partly = []string{"FabricMSPConfig", "GossipEnvelope", "GossipMessage"}

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

// relative is a descriptor's name without its package, as ours have it. Well-known types have one name for all.
func relative(d protoreflect.Descriptor) string {
	for official, name := range renamed {
		if within := strings.TrimPrefix(string(d.FullName()), string(official)); within == "" || within != string(d.FullName()) && within[0] == '.' {
			return name + within
		}
	}
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
	pbgrpc.RegisterGatewayServer(srv, nil)
	pbgrpc.RegisterDeliverServer(srv, nil)
	pbgrpc.RegisterEndorserServer(srv, nil)
	pbgrpc.RegisterAtomicBroadcastServer(srv, nil)
	pbgrpc.RegisterDiscoveryServer(srv, nil)
	var got []string
	for service, info := range srv.GetServiceInfo() {
		for _, m := range info.Methods {
			got = append(got, "/"+service+"/"+m.Name)
		}
	}
	slices.Sort(got)
	want := []string{
		peer.Chaincode_Connect_FullMethodName, peer.ChaincodeSupport_Register_FullMethodName, peer.Endorser_ProcessProposal_FullMethodName,
		peer.Deliver_Deliver_FullMethodName, peer.Deliver_DeliverFiltered_FullMethodName, peer.Deliver_DeliverWithPrivateData_FullMethodName,
		gateway.Gateway_Evaluate_FullMethodName, gateway.Gateway_Endorse_FullMethodName, gateway.Gateway_Submit_FullMethodName,
		gateway.Gateway_CommitStatus_FullMethodName, gateway.Gateway_ChaincodeEvents_FullMethodName,
		orderer.AtomicBroadcast_Broadcast_FullMethodName, orderer.AtomicBroadcast_Deliver_FullMethodName, discovery.Discovery_Discover_FullMethodName,
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the services are called %q, officially %q", got, want)
	}
}
