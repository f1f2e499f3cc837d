package channelconfig

import (
	"bytes"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Update returns the configuration that follows an old one when a channel is to be what c says. Its sequence is one higher, and so
// are the versions of what is another than before (Fabric: common/configtx, update.go). It is nil if nothing is. c.Sequence has no
// effect.
func (c Channel) Update(old *pb.Config) (*pb.Config, error) {
	next, err := c.Config()
	if err != nil {
		return nil, err
	}
	next.Sequence = old.GetSequence() + 1
	if !follow(old.GetChannelGroup(), next.GetChannelGroup()) {
		return nil, nil //nolint:nilnil // as documented
	}
	return next, nil
}

// follow gives a group the versions of the old one, raised where something has changed, and reports whether anything has.
func follow(old, next *pb.ConfigGroup) (changed bool) {
	next.Version = old.GetVersion()
	if !sameKeys(old.GetGroups(), next.GetGroups()) || !sameKeys(old.GetValues(), next.GetValues()) ||
		!sameKeys(old.GetPolicies(), next.GetPolicies()) || old.GetModPolicy() != next.GetModPolicy() {
		next.Version++
		changed = true
	}
	for name, v := range next.GetValues() {
		before, ok := old.GetValues()[name]
		if !ok {
			continue
		}
		v.Version = before.GetVersion()
		if !bytes.Equal(before.GetValue(), v.GetValue()) || before.GetModPolicy() != v.GetModPolicy() {
			v.Version++
			changed = true
		}
	}
	for name, p := range next.GetPolicies() {
		before, ok := old.GetPolicies()[name]
		if !ok {
			continue
		}
		p.Version = before.GetVersion()
		if !proto.Equal(before.GetPolicy(), p.GetPolicy()) || before.GetModPolicy() != p.GetModPolicy() {
			p.Version++
			changed = true
		}
	}
	for name, g := range next.GetGroups() {
		if before, ok := old.GetGroups()[name]; ok && follow(before, g) {
			changed = true
		}
	}
	return changed
}

func sameKeys[V any](a, b map[string]V) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}
