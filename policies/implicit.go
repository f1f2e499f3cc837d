package policies

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
)

// Rule says how many of its sub-policies an ImplicitMeta needs.
type Rule string

// The rules. Where there are no sub-policies, nothing is needed.
const (
	AnyRule      Rule = "ANY"      // one
	AllRule      Rule = "ALL"      // all
	MajorityRule Rule = "MAJORITY" // more than half
)

// ImplicitMeta is a policy over policies, which are usually those of the organizations: MAJORITY Endorsement needs the
// Endorsement policies of most (Fabric: ImplicitMetaPolicy).
type ImplicitMeta struct {
	// Rule says how many are needed.
	Rule Rule
	// Name is the name that the sub-policies have in common. It is for errors.
	Name string
	// Policies are the sub-policies. A nil one, of an organization that has no policy of the name, is never fulfilled.
	Policies []Policy
}

var _ Policy = ImplicitMeta{}

// ParseImplicitMeta reads a rule and the name of the sub-policies, as configtx.yaml has them: MAJORITY Endorsement.
func ParseImplicitMeta(text string) (Rule, string, error) {
	rule, name, ok := strings.Cut(strings.TrimSpace(text), " ")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsAny(name, " \t\n") {
		return "", "", errors.Errorf("implicit meta policy is %.64q, want a rule and a name, as in MAJORITY Endorsement", text)
	}
	switch r := Rule(strings.ToUpper(rule)); r {
	case AnyRule, AllRule, MajorityRule:
		return r, name, nil
	}
	return "", "", errors.Errorf("implicit meta policy has the rule %.64q, want ANY, ALL or MAJORITY", rule)
}

// needed is how many sub-policies must be fulfilled.
func (m ImplicitMeta) needed() int {
	switch {
	case len(m.Policies) == 0:
		return 0
	case m.Rule == AnyRule:
		return 1
	case m.Rule == AllRule:
		return len(m.Policies)
	}
	return len(m.Policies)/2 + 1
}

// Evaluate implements Policy. Each sub-policy is asked for itself, so one signer may count in several.
func (m ImplicitMeta) Evaluate(signers []*identity.Verified) error {
	fulfilled, needed := 0, m.needed()
	for _, p := range m.Policies {
		if fulfilled == needed {
			break
		}
		if p != nil && p.Evaluate(signers) == nil {
			fulfilled++
		}
	}
	if fulfilled < needed {
		return errors.Errorf("implicit policy evaluation failed - %d sub-policies were satisfied, but this policy requires %d of the '%s' "+
			"sub-policies to be satisfied", fulfilled, needed, m.Name)
	}
	return nil
}

// Signature returns a signature policy with the same meaning, as discovery needs it: one that names groups, and how many of them are
// needed (Fabric: policies.Converter). The difference is that it counts each signer once, where sub-policies are asked for themselves.
// It is an error if a sub-policy is neither a Signature nor an ImplicitMeta.
func (m ImplicitMeta) Signature() (Signature, error) {
	gate := OutOf(m.needed())
	for _, p := range m.Policies {
		var rule Signature
		var err error
		switch p := p.(type) {
		case Signature:
			rule = p
		case ImplicitMeta:
			rule, err = p.Signature()
		case nil:
			rule = OutOf(1) // of nothing
		default:
			err = errors.Errorf("a sub-policy of '%s' is a %T, want one that names groups", m.Name, p)
		}
		if err != nil {
			return Signature{}, err
		}
		gate.Rules = append(gate.Rules, rule)
	}
	return gate, nil
}
