package discovery_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/peer/discovery"
	pb "github.com/ccpeer/ccpeer/proto"
)

// described channel of two members and an orderer.
func channel(w *world, addresses []string, endpoints ...string) channelconfig.Channel {
	var c channelconfig.Channel
	for _, id := range []string{"Org1MSP", "Org2MSP"} {
		c.Application.Organizations = append(c.Application.Organizations, channelconfig.Organization{MSP: w.msps[id].Organization()})
	}
	c.Addresses = addresses
	c.Orderer.Organizations = []channelconfig.Organization{{MSP: w.msps["OrdererMSP"].Organization(), Endpoints: endpoints}}
	return c
}

func TestFromConfig(t *testing.T) {
	w := newWorld(t, "Org1MSP", "Org2MSP", "OrdererMSP")
	for _, c := range []struct {
		name                 string
		addresses, endpoints []string
		want                 string
	}{
		{"by organization", []string{"old:1"}, []string{"orderer0:7050", "orderer1:8050"}, `endpoint:{host:"orderer0" port:7050} endpoint:{host:"orderer1" port:8050}`},
		{"of the channel", []string{"old:1"}, nil, `endpoint:{host:"old" port:1}`},
		{"none", nil, nil, ""},
	} {
		config, err := channel(w, c.addresses, c.endpoints...).Config()
		if err != nil {
			t.Fatal(err)
		}
		got, err := discovery.FromConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		var want pb.Endpoints
		if err := prototext.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if len(got.GetOrderers()) != 1 || !proto.Equal(got.GetOrderers()["OrdererMSP"], &want) {
			t.Errorf("%s: orderers are %v", c.name, got.GetOrderers())
		}
		if len(got.GetMsps()) != 3 {
			t.Errorf("%s: MSPs are %v", c.name, got.GetMsps())
		}
		for id, m := range got.GetMsps() {
			if !proto.Equal(m, channelconfig.MSP(w.msps[id].Organization())) {
				t.Errorf("%s: MSP %s is %v", c.name, id, m)
			}
		}
	}
}

func TestFromConfigRefuses(t *testing.T) {
	w := newWorld(t, "Org1MSP", "Org2MSP", "OrdererMSP")
	for want, change := range map[string]func(*pb.ConfigGroup){
		"config is invalid: key Config.ChannelGroup.Groups[Orderer] is missing":     func(g *pb.ConfigGroup) { delete(g.GetGroups(), "Orderer") },
		"config is invalid: key Config.ChannelGroup.Groups[Application] is missing": func(g *pb.ConfigGroup) { delete(g.GetGroups(), "Application") },
		"failed parsing MSPConfig": func(g *pb.ConfigGroup) {
			g.GetGroups()["Application"].GetGroups()["Org1MSP"].GetValues()["MSP"].Value = []byte("x")
		},
		"failed unmarshalling orderer addresses": func(g *pb.ConfigGroup) { g.GetValues()["OrdererAddresses"] = &pb.ConfigValue{Value: []byte("x")} },
	} {
		config, err := channel(w, nil).Config()
		if err != nil {
			t.Fatal(err)
		}
		change(config.GetChannelGroup())
		if got, err := discovery.FromConfig(config); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
	if _, err := discovery.FromConfig(nil); err == nil {
		t.Error("there is no configuration, and no error")
	}
	config, err := channel(w, nil).Config()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := proto.Marshal(&pb.MSPConfig{Type: 1}) // idemix
	if err != nil {
		t.Fatal(err)
	}
	config.GetChannelGroup().GetGroups()["Application"].GetGroups()["Org1MSP"].GetValues()["MSP"].Value = foreign
	got, err := discovery.FromConfig(config)
	if err != nil || len(got.GetMsps()) != 2 || got.GetMsps()["Org1MSP"] != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// Addresses that are none are left out, for a client couldn't use them.
func TestEndpoints(t *testing.T) {
	got := discovery.Endpoints("localhost:7050", "nothing", "[::1]:7051", "host:port", "host:70000", ":1")
	want := &pb.Endpoints{Endpoint: []*pb.Endpoint{{Host: "localhost", Port: 7050}, {Host: "::1", Port: 7051}, {Port: 1}}}
	if !proto.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
