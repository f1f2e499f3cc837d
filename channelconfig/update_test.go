package channelconfig_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/policies"
)

// Versions rise where something has changed, and nowhere else.
func TestUpdate(t *testing.T) {
	c := full(t)
	old, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	before := proto.CloneOf(old)
	c.Sequence = 99
	if next, err := c.Update(old); next != nil || err != nil {
		t.Errorf("nothing has changed: %v, %v", next, err)
	}
	c.Orderer.Organizations[0].Endpoints = []string{"elsewhere:7050"}
	c.Application.Policies = channelconfig.Policies{"Writers": {Rule: policies.AnyRule, Of: "Own"}}
	c.Application.Organizations[1].AnchorPeers = []string{"new:7051"}
	next, err := c.Update(old)
	if err != nil {
		t.Fatal(err)
	}
	application, orderer := next.ChannelGroup.Groups["Application"], next.ChannelGroup.Groups["Orderer"]
	for what, versions := range map[string][2]uint64{
		"sequence":        {next.Sequence, 8},
		"channel":         {next.ChannelGroup.Version, 0},
		"orderer":         {orderer.Version + orderer.Groups["orderer"].Version, 0},
		"endpoints":       {orderer.Groups["orderer"].Values["Endpoints"].Version, 1},
		"MSP":             {orderer.Groups["orderer"].Values["MSP"].Version, 0},
		"a policy":        {application.Policies["Writers"].Version, 1},
		"one":             {application.Groups["one"].Version, 0},
		"two, with more":  {application.Groups["two"].Version, 1},
		"what it has now": {application.Groups["two"].Values["AnchorPeers"].Version, 0},
	} {
		if versions[0] != versions[1] {
			t.Errorf("%s has %d, want %d", what, versions[0], versions[1])
		}
	}
	if !proto.Equal(old, before) {
		t.Error("the old one was changed")
	}
	c.Application.Organizations[1].AnchorPeers = []string{"newer:7051"}
	last, err := c.Update(next)
	if err != nil || last.ChannelGroup.Groups["Application"].Groups["two"].Values["AnchorPeers"].Version != 1 || last.Sequence != 9 {
		t.Errorf("%v, %v", last, err)
	}
	c.Orderer.Batch.Timeout = -1
	if _, err := c.Update(next); err == nil {
		t.Error("what can't be a configuration follows one")
	}
}
