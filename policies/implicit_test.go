package policies_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

// refusing is a policy that names nobody.
type refusing struct{ policies.Policy }

func TestImplicitMetaAsSignature(t *testing.T) {
	of := func(mspID string) policies.Policy {
		return policies.Any(policies.SignedBy(identity.Principal{MSPID: mspID, Role: identity.Peer}))
	}
	for _, c := range []struct {
		meta policies.ImplicitMeta
		want string
	}{
		{policies.ImplicitMeta{Rule: policies.AnyRule, Policies: []policies.Policy{of("A"), of("B")}}, "OutOf(1, OutOf(1, 'A.peer'), OutOf(1, 'B.peer'))"},
		{policies.ImplicitMeta{Rule: policies.AllRule, Policies: []policies.Policy{of("A"), of("B")}}, "OutOf(2, OutOf(1, 'A.peer'), OutOf(1, 'B.peer'))"},
		{policies.ImplicitMeta{Rule: policies.MajorityRule, Policies: []policies.Policy{of("A"), of("B"), of("C")}}, "OutOf(2, OutOf(1, 'A.peer'), OutOf(1, 'B.peer'), OutOf(1, 'C.peer'))"},
		{policies.ImplicitMeta{Rule: policies.MajorityRule}, "OutOf(0)"},
		{policies.ImplicitMeta{Rule: policies.AllRule, Policies: []policies.Policy{of("A"), nil}}, "OutOf(2, OutOf(1, 'A.peer'), OutOf(1))"},
		{policies.ImplicitMeta{Rule: policies.AllRule, Policies: []policies.Policy{policies.ImplicitMeta{Rule: policies.AnyRule, Policies: []policies.Policy{of("A")}}}}, "OutOf(1, OutOf(1, OutOf(1, 'A.peer')))"},
	} {
		if got, err := c.meta.Signature(); err != nil || got.String() != c.want {
			t.Errorf("got %v, %v, want %s", got, err, c.want)
		}
	}
	inner := policies.ImplicitMeta{Name: "Endorsement", Policies: []policies.Policy{refusing{}}}
	for _, m := range []policies.ImplicitMeta{inner, {Policies: []policies.Policy{inner}}} {
		if got, err := m.Signature(); err == nil || !strings.Contains(err.Error(), "a sub-policy of 'Endorsement' is a policies_test.refusing") {
			t.Errorf("%v, %v", got, err)
		}
	}
}
