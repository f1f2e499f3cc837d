package realfabric_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

var (
	rounds = flag.Int("policies", 2000, "how many random policies are compared")
	seed   = flag.Uint64("seed", 1, "of the random policies")
)

// people are identities of three organizations, a few for each role.
type people struct {
	verifier *identity.Verifier
	all      []*identity.Identity
}

func newPeople(t testing.TB, f *fabric) people {
	t.Helper()
	var p people
	var known []identity.Organization
	var told []organization
	for _, mspID := range []string{"A", "org-2.example.com", "C"} {
		m, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, m.Organization())
		told = append(told, organization{MSPID: mspID, Root: m.CertificatePEM()})
		for _, role := range []string{"client", "peer", "peer", "admin", "orderer"} {
			id, err := m.Issue(identity.Config{CommonName: role, OUs: []string{role}})
			if err != nil {
				t.Fatal(err)
			}
			p.all = append(p.all, id)
		}
	}
	var err error
	if p.verifier, err = identity.NewVerifier(known...); err != nil {
		t.Fatal(err)
	}
	f.ask(question{Organizations: told})
	return p
}

// pick returns some people, each once, in any order.
func (p people) pick(r *rand.Rand) []*identity.Identity {
	some := make([]*identity.Identity, 0, 5)
	for _, i := range r.Perm(len(p.all))[:r.IntN(6)] {
		some = append(some, p.all[i])
	}
	return some
}

// text returns a random policy.
func text(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(3) > 0 {
		quote := []string{"'", `"`}[r.IntN(2)]
		return quote + []string{"A", "org-2.example.com", "C", "D"}[r.IntN(4)] + "." +
			[]string{"member", "client", "peer", "admin", "orderer"}[r.IntN(5)] + quote
	}
	if depth > 3 {
		return "'A.member'"
	}
	rules := make([]string, 1+r.IntN(4))
	for i := range rules {
		rules[i] = text(r, depth+1)
	}
	inner := strings.Join(rules, []string{",", ", "}[r.IntN(2)])
	switch gate := []string{"AND", "And", "and", "OR", "Or", "or", "OutOf", "OUTOF", "outof"}[r.IntN(9)]; strings.ToUpper(gate) {
	case "OUTOF":
		return fmt.Sprintf("%s(%d, %s)", gate, r.IntN(len(rules)+3), inner)
	default:
		return gate + "(" + inner + ")"
	}
}

// TestPolicies compares random policies, and what becomes of them under random signers, with Fabric's.
func TestPolicies(t *testing.T) {
	f := startFabric(t)
	p := newPeople(t, f)
	r := rand.New(rand.NewPCG(*seed, 0)) //nolint:gosec // a test is to be repeatable
	fulfilled, refused := 0, 0
	for range *rounds {
		written := text(r, 0)
		ours, err := policies.Parse(written)
		for range 4 {
			signers := p.pick(r)
			theirs := f.ask(question{Policy: &written, Signers: creators(signers)})
			if (err == nil) != (theirs.ParseError == "") {
				t.Fatalf("%s: ours %v, Fabric's %q", written, err, theirs.ParseError)
			}
			if err != nil {
				refused++
				break
			}
			if compare(t, written, ours, theirs, verified(t, p, signers)) {
				fulfilled++
			}
		}
	}
	t.Logf("%d policies, %d refused, %d times fulfilled", *rounds, refused, fulfilled)
	if fulfilled < *rounds/2 || refused == 0 {
		t.Errorf("%d fulfilled and %d refused are too few to tell", fulfilled, refused)
	}
}

// compare reports whether the policy is fulfilled.
func compare(t *testing.T, written string, ours policies.Signature, theirs answer, signers []*identity.Verified) bool {
	t.Helper()
	sent, err := policies.Unmarshal(theirs.Envelope)
	if err != nil {
		t.Fatalf("%s: %v", written, err)
	}
	if sent.String() != ours.String() {
		t.Errorf("%s: ours %s, as Fabric sends it %s", written, ours, sent)
	}
	err = ours.Evaluate(signers)
	if (err == nil) != (theirs.Error == "") {
		t.Errorf("%s: ours %v, Fabric's %q", written, err, theirs.Error)
	}
	return err == nil
}

func creators(signers []*identity.Identity) [][]byte {
	var all [][]byte
	for _, s := range signers {
		all = append(all, s.Creator())
	}
	return all
}

func verified(t *testing.T, p people, signers []*identity.Identity) []*identity.Verified {
	t.Helper()
	var all []*identity.Verified
	for _, s := range signers {
		who, err := p.verifier.Identify(s.Creator())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, who)
	}
	return all
}

// TestBrokenPolicies spoils policies by a letter: what we take, Fabric takes, and for the same policy. Fabric takes more, as
// package policies says.
func TestBrokenPolicies(t *testing.T) {
	f := startFabric(t)
	newPeople(t, f)
	r := rand.New(rand.NewPCG(*seed, 1)) //nolint:gosec // as above
	taken := 0
	for range *rounds {
		b := []byte(text(r, 0))
		at := r.IntN(len(b))
		switch letter := `(),'". 1AR`[r.IntN(10)]; r.IntN(3) {
		case 0:
			b[at] = letter
		case 1:
			b = append(b[:at], b[at+1:]...)
		default:
			b = append(b[:at], append([]byte{letter}, b[at:]...)...)
		}
		written := string(b)
		ours, err := policies.Parse(written)
		if err != nil {
			continue
		}
		taken++
		theirs := f.ask(question{Policy: &written})
		if theirs.ParseError != "" {
			t.Errorf("%s: Fabric says %q", written, theirs.ParseError)
			continue
		}
		compare(t, written, ours, answer{Envelope: theirs.Envelope, Error: theirs.Error}, nil)
	}
	t.Logf("%d of %d are taken", taken, *rounds)
}
