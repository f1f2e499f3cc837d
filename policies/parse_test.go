package policies_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

// nested is a policy whose gates are nested.
func nested(depth int) string {
	return strings.Repeat("OR('A.member', ", depth-1) + "OR('A.member')" + strings.Repeat(")", depth-1)
}

// anyOf is what a collection's policy says.
func anyOf(policy string) ([]identity.Principal, error) {
	p, err := policies.Parse(policy)
	if err != nil {
		return nil, err
	}
	return p.AnyOf()
}

func TestAnyOf(t *testing.T) {
	for policy, want := range map[string]string{
		`OR('Org1MSP.member')`:                                       "Org1MSP.member",
		`OR('Org1MSP.member', "Org2MSP.admin")`:                      "Org1MSP.member Org2MSP.admin",
		`Or('A.client','B.peer','C.orderer')`:                        "A.client B.peer C.orderer",
		"\t or ( 'A.member'\n,'A.member' ) ":                         "A.member A.member",
		`OR('org-1.example.com.member', 'a.admin.peer', '..member')`: "org-1.example.com.member a.admin.peer ..member",
		`OR(OR('A.member', Or('B.member')), 'C.member')`:             "A.member B.member C.member",
		`OutOf(1, 'A.member', 'B.member')`:                           "A.member B.member",
		`outof('1', 'A.member', OUTOF("1", 'B.member'))`:             "A.member B.member",
		`AND('A.member')`:                                            "A.member", // one of one
		`or('member.member')`:                                        "member.member",
		nested(100):                                                  strings.TrimSuffix(strings.Repeat("A.member ", 100), " "),
	} {
		got, err := anyOf(policy)
		if s := strings.Trim(fmt.Sprint(got), "[]"); err != nil || s != want {
			t.Errorf("%s: got %s, %v, want %s", policy, s, err, want)
		}
	}
}

func TestParseSplitsAtTheLastDot(t *testing.T) {
	got, err := anyOf("OR('org-1.example.com.admin')")
	if want := []identity.Principal{{MSPID: "org-1.example.com", Role: identity.Admin}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for policy, want := range map[string]string{
		// Fabric's texts.
		`AND('A.member', 'B.member')`:                               "signature policy is not an OR concatenation, NOutOf 2",
		`OR('A.member', AND('B.member', 'C.member'))`:               "signature policy is not an OR concatenation, NOutOf 2",
		`OutOf(2, 'A.member', AND('A.member', 'B.peer', 'C.peer'))`: "signature policy is not an OR concatenation, NOutOf 2",
		`OutOf(0, 'A.member')`:                                      "signature policy is not an OR concatenation, NOutOf 0",
		`OutOf(3, 'A.member', 'B.member')`:                          "signature policy is not an OR concatenation, NOutOf 3",
		`OutOf(4, 'A.member', 'B.member')`:                          "invalid t-out-of-n predicate, t 4, n 2",
		`OutOf(-1, 'A.member', 'B.member')`:                         "invalid t-out-of-n predicate, t -1, n 2",
		`OutOf(1)`:                                                  "expected at least two arguments to NOutOf. Given 1",
		`OR()`:                                                      "expected at least two arguments to NOutOf. Given 1",
		`OR('A.member', Bmember)`:                                   "unrecognized token 'Bmember' in policy string, want a gate, such as OR, or a principal in quotes",
		`OR('A.member', 'Bmember')`:                                 "unrecognized token 'Bmember' in policy string, want an MSP's ID",
		// Ours, which say what is expected.
		``:                               `policy begins with its end, want a gate, as in OR('Org1MSP.member', 'Org2MSP.member')`,
		`'Org1MSP.member'`:               `policy begins with "'Org1MSP.member'", want a gate`,
		`Org1MSP.member`:                 `unrecognized token 'Org1MSP.member' in policy string, want a gate`,
		`oR('A.member')`:                 `unrecognized token 'oR' in policy string`,
		`OR 'A.member'`:                  `OR is followed by "'A.member'", want (`,
		`OR`:                             `OR is followed by its end, want (`,
		`OR('A.member'`:                  `policy has its end, want a comma or )`,
		`OR('A.member' 'B.member')`:      `policy has "'B.member')", want a comma or )`,
		`OR('A.member',)`:                `policy has ")", want a gate, such as OR, or a principal`,
		`OR(,'A.member')`:                `policy has ",'A.member')", want a gate`,
		`OR('A.member`:                   `policy has "'A.member", want a gate, such as OR, or a principal in quotes`,
		`OR('A.member")`:                 `policy has "'A.member\")", want a gate`,
		`OR('A.member') or`:              `policy has "or" behind its end`,
		`OR('A.member'))`:                `policy has ")" behind its end`,
		`OR('A.Member')`:                 `and a role, which is member, admin, client, peer or orderer`,
		`OR('A.boss')`:                   `unrecognized token 'A.boss' in policy string, want an MSP's ID`,
		`OR('.member')`:                  `unrecognized token '.member'`,
		`OR('Org_1.member')`:             `of letters, digits, dots and dashes`,
		`OR('Österreich.member')`:        `unrecognized token 'Österreich.member'`,
		`OR(' A.member')`:                `unrecognized token ' A.member'`,
		"OR('A.member\n')":               `unrecognized token`,
		`OR('\'A.member\'')`:             `want a gate`,
		`OutOf('A.member', 'B.member')`:  `OutOf has "A.member", want a number first`,
		`OutOf()`:                        `OutOf has "", want a number first`,
		`OutOf(1.5, 'A.member')`:         `OutOf has "1.5", want a number first`,
		`OutOf(99999999999, 'A.member')`: `want a number first`,
		`(OR('A.member'))`:               `policy begins with "(OR('A.member'))", want a gate`,
		nested(101):                      "gates of the policy are nested more than 100 deep",
		strings.Repeat("OR(", 1<<20):     "nested more than 100 deep",
	} {
		got, err := anyOf(policy)
		if got != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, %v, want %q", policy, got, err, want)
		}
	}
}

// What Parse returns can be written as a policy that is the same.
func FuzzParse(f *testing.F) {
	for _, policy := range []string{
		"OR('Org1MSP.member', \"org-2.example.com.admin\")", "OR(OR('A.peer'), outof('1', 'B.client'))",
		"AND('A.member', 'B.member')", "OutOf(2, 'A.member')", "'A.member'", "OR('A.member',)", nested(101),
	} {
		f.Add(policy)
	}
	f.Fuzz(func(t *testing.T, policy string) {
		got, err := policies.Parse(policy)
		if err != nil {
			if got.Rules != nil {
				t.Errorf("got both %v and %v", got, err)
			}
			return
		}
		same, err := policies.Parse(got.String())
		if err != nil || len(got.Rules) == 0 || !reflect.DeepEqual(got, same) {
			t.Errorf("%q: %v, written again: %v, %v", policy, got, same, err)
		}
	})
}
