package identity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
)

// signed is a signature that somebody claims to be a member's.
type signed struct {
	member             int
	message, signature []byte
}

// TestSignatures has Verifiers of one Signatures, each of several organizations or one, say the same of signatures as one that
// remembers nothing: of good ones, of those of others, and of messages, signatures and both that are cut at another place.
func TestSignatures(t *testing.T) {
	var (
		members []*identity.Identity
		orgs    []identity.Organization
	)
	for i, a := range []identity.Algorithm{identity.ECDSAP256, identity.ECDSAP384, identity.Ed25519} {
		m := newMSP(t, fmt.Sprintf("Org%dMSP", i+1))
		orgs = append(orgs, m.Organization())
		members = append(members, issue(t, m, identity.Config{CommonName: "alice", Algorithm: a}), issue(t, m, identity.Config{CommonName: "bob", Algorithm: a}))
	}
	var all []signed
	for i, m := range members {
		message := fmt.Appendf(nil, "message %d", i)
		signature, err := m.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, signed{i, message, signature}, signed{(i + 1) % len(members), message, signature},
			signed{i, slices.Concat(message, signature[:1]), signature[1:]}, signed{i, message, slices.Concat(signature, []byte{0})},
			signed{i, nil, signature}, signed{i, message, nil}, signed{i, message[:5], slices.Concat(message[5:], signature)})
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's choices
	plain, want := newVerifier(t, orgs...), make([]error, len(all))
	for i, one := range all {
		want[i] = verify(t, plain, members[one.member], one)
	}
	for _, limit := range []int{1, 5, 0} {
		s := identity.NewSignatures(limit)
		shared := []*identity.Verifier{sharing(t, s, orgs...), sharing(t, s, orgs...)}
		var asking sync.WaitGroup
		for range 4 {
			order := random.Perm(2 * len(all))
			asking.Go(func() {
				for _, i := range order {
					v, i := shared[i/len(all)], i%len(all)
					if got := verify(t, v, members[all[i].member], all[i]); fmt.Sprint(got) != fmt.Sprint(want[i]) {
						t.Errorf("signature %d: %v, want %v", i, got, want[i])
					}
				}
			})
		}
		asking.Wait()
	}
}

// TestSignaturesAreRemembered sees by what a check allocates that it is made once for all Verifiers of a Signatures, and again when
// too many others came between. Bad signatures are not remembered, and make nothing forgotten. Who is no member stays nobody.
func TestSignaturesAreRemembered(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice := issue(t, m, identity.Config{CommonName: "alice"})
	s := identity.NewSignatures(4)
	v, other := sharing(t, s, m.Organization()), sharing(t, s, m.Organization())
	sign := func(n int) signed {
		message := fmt.Appendf(nil, "message %d", n)
		signature, err := alice.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		return signed{message: message, signature: signature}
	}
	first := sign(0)
	cost := func(v *identity.Verifier, one signed) int {
		who, err := v.Identify(alice.Creator())
		if err != nil {
			t.Fatal(err)
		}
		begun := false
		return int(testing.AllocsPerRun(1, func() {
			if begun { // the first run doesn't count
				_ = who.Verify(one.message, one.signature)
			}
			begun = true
		}))
	}
	if err := verify(t, v, alice, first); err != nil {
		t.Fatal(err)
	}
	full := cost(newVerifier(t, m.Organization()), first)
	if got := cost(other, first); got >= full/2 {
		t.Errorf("another Verifier allocates %d times, and without Signatures it is %d", got, full)
	}
	bad := signed{message: []byte("another"), signature: first.signature}
	for range 20 {
		if verify(t, v, alice, bad) == nil {
			t.Fatal("a bad signature is good")
		}
	}
	if got := cost(v, bad); got < full/2 {
		t.Errorf("a bad signature allocates %d times: it is remembered", got)
	}
	if got := cost(v, first); got >= full/2 {
		t.Errorf("after bad ones, it allocates %d times", got)
	}
	for n := range 8 {
		if err := verify(t, v, alice, sign(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := cost(v, first); got < full/2 {
		t.Errorf("after eight others, it allocates %d times: four were to be remembered, or eight at most", got)
	}
	if got := cost(other, first); got >= full/2 {
		t.Errorf("once it is checked again, it allocates %d times", got)
	}
	if _, err := sharing(t, s, newMSP(t, "Org2MSP").Organization()).Identify(alice.Creator()); err == nil {
		t.Error("a signature has made somebody a member of another channel")
	}
}

func sharing(t testing.TB, s *identity.Signatures, orgs ...identity.Organization) *identity.Verifier {
	t.Helper()
	v, err := s.NewVerifier(orgs...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func verify(t testing.TB, v *identity.Verifier, by *identity.Identity, one signed) error {
	t.Helper()
	who, err := v.Identify(by.Creator())
	if err != nil {
		t.Error(err)
		return nil
	}
	return who.Verify(one.message, one.signature)
}
