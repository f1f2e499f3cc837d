package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
)

// Policy decides whether those who have signed are enough (Fabric: policies.Policy).
type Policy interface {
	// Evaluate returns nil if the signers are enough. Otherwise the error says what is missing. Whoever calls it has checked
	// the signatures, and has left out repetitions: see Unique. It only reads signers.
	Evaluate(signers []*identity.Verified) error
}

// Signature is a policy that names the groups whose members must sign (Fabric: SignaturePolicyEnvelope). It is a principal, or
// a gate with rules of its own. It is not modified once it is made, so it is safe for concurrent use.
type Signature struct {
	// Principal is the group of whom one must sign, if Rules is nil.
	Principal identity.Principal
	// Rules are a gate's rules. Needed is how many of them a gate needs.
	Rules  []Signature
	Needed int
}

var _ Policy = Signature{}

// SignedBy is the policy that one of a group signs.
func SignedBy(p identity.Principal) Signature { return Signature{Principal: p} }

// OutOf is the policy that needs some of its rules. It is nobody's if it needs more than there are.
func OutOf(needed int, rules ...Signature) Signature {
	if rules == nil {
		rules = []Signature{}
	}
	return Signature{Needed: needed, Rules: rules}
}

// Any is the policy that needs one of its rules, All the one that needs them all. Policies write them OR and AND.
func Any(rules ...Signature) Signature { return OutOf(1, rules...) }

// All is the policy that needs all its rules.
func All(rules ...Signature) Signature { return OutOf(len(rules), rules...) }

// Evaluate implements Policy. Each signer counts for one principal only. Rules are looked at from the left, and a rule takes
// the first signer that fits and that no other rule has taken. A later rule may need that one: AND('Org1MSP.member',
// 'Org1MSP.admin') fails if the administrator is the first of two signers. That is Fabric's way (common/cauthdsl), and peers
// must agree.
func (s Signature) Evaluate(signers []*identity.Verified) error {
	if _, ok := s.match(signers, make([]bool, len(signers))); !ok {
		return &unfulfilled{s, slices.Clone(signers)}
	}
	return nil
}

// unfulfilled is the error of a policy for which signers are not enough. Its text is made when it is wanted: most of these errors are
// only compared with nil, by policies of which one is enough.
type unfulfilled struct {
	policy  Signature
	signers []*identity.Verified
}

// Error implements error.
func (e *unfulfilled) Error() string {
	return fmt.Sprintf("signature set did not satisfy policy: %s, signed by %s", e.policy, names(e.signers))
}

// match reports whether the signers that are not taken are enough, and who is taken then.
func (s Signature) match(signers []*identity.Verified, taken []bool) ([]bool, bool) {
	if s.Rules == nil {
		for i, signer := range signers {
			if !taken[i] && signer.Satisfies(s.Principal) {
				after := append([]bool(nil), taken...)
				after[i] = true
				return after, true
			}
		}
		return taken, false
	}
	matched := 0
	for _, rule := range s.Rules {
		if after, ok := rule.match(signers, taken); ok {
			taken = after
			matched++
		}
	}
	return taken, matched >= s.Needed
}

// AnyOf returns the principals of a policy of which any one is enough, in its order and with its repetitions. Otherwise it
// returns an error with Fabric's text, which says that a gate needs more. The policy of a collection must be such a policy.
func (s Signature) AnyOf() ([]identity.Principal, error) {
	if s.Rules == nil {
		return []identity.Principal{s.Principal}, nil
	}
	if s.Needed != 1 {
		return nil, errors.Errorf("signature policy is not an OR concatenation, NOutOf %d", s.Needed)
	}
	var all []identity.Principal
	for _, rule := range s.Rules {
		some, err := rule.AnyOf()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// String returns the policy in Fabric's language, which Parse reads.
func (s Signature) String() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s Signature) write(b *strings.Builder) {
	if s.Rules == nil {
		fmt.Fprintf(b, "'%s'", s.Principal)
		return
	}
	fmt.Fprintf(b, "OutOf(%d", s.Needed)
	for _, rule := range s.Rules {
		b.WriteString(", ")
		rule.write(b)
	}
	b.WriteString(")")
}

// names are the signers, for people.
func names(signers []*identity.Verified) string {
	if len(signers) == 0 {
		return "nobody"
	}
	const most = 10
	var some []string
	for _, s := range signers[:min(len(signers), most)] {
		some = append(some, fmt.Sprintf("%.64q of %s", s.Certificate().Subject.CommonName, s.MSPID()))
	}
	if len(signers) > most {
		some = append(some, fmt.Sprintf("%d others", len(signers)-most))
	}
	return strings.Join(some, ", ")
}

// Unique returns signers without those who are there a second time, in their order, in a new slice. Somebody who signs
// twice counts once (Fabric: SignatureSetToValidIdentities).
func Unique(signers []*identity.Verified) []*identity.Verified {
	type who struct{ mspID, cert string }
	seen := map[who]bool{}
	var unique []*identity.Verified
	for _, s := range signers {
		key := who{s.MSPID(), string(s.Certificate().Raw)}
		if !seen[key] {
			seen[key] = true
			unique = append(unique, s)
		}
	}
	return unique
}
