package collections

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
)

// Role is the role that an identity has in its MSP.
type Role string

// The roles that a policy can name. Everyone whom the MSP has certified is a member. The other roles follow from the
// certificate's organizational units (Fabric: NodeOUs).
const (
	Member  Role = "member"
	Admin   Role = "admin"
	Client  Role = "client"
	Peer    Role = "peer"
	Orderer Role = "orderer"
)

// Principal is the group that a policy names: everyone who has a role in an MSP.
type Principal struct {
	MSPID string
	Role  Role
}

// String returns the principal in the form that policies have, without quotes: Org1MSP.member.
func (p Principal) String() string { return p.MSPID + "." + string(p.Role) }

// ParsePolicy returns the principals of a collection's policy, in its order and with its repetitions. Any one of them is
// enough: OR('Org1MSP.member', "org-2.example.com.admin"). What follows the last dot is the role. What comes before it is
// the MSP's ID, of letters, digits, dots and dashes.
//
// The language is that of Fabric's signature policies (common/policydsl). There are gates, which can be nested: OR, AND and
// OutOf. OutOf has a number before its principals. Each may be written in capitals, in small letters, or as Or, And and
// OutOf. A single principal without a gate is no policy, nor is it in Fabric. A collection's policy must be an OR
// concatenation: each gate must need one of its principals, as OutOf(1, …) does. The text of that error is Fabric's.
//
// Some things that Fabric accepts are errors here: arithmetic, fractions, parentheses around expressions, a missing comma
// after a gate (Fabric drops what follows), and gates that are nested more than 100 deep.
func ParsePolicy(policy string) ([]Principal, error) {
	r, err := parsePolicy(policy)
	if err != nil {
		return nil, err
	}
	return r.anyOf(nil)
}

// maxDepth is how deep gates can be nested.
const maxDepth = 100

var (
	principalForm = regexp.MustCompile(`^([[:alnum:].-]+)\.(admin|member|client|peer|orderer)$`)
	wordForm      = regexp.MustCompile(`^[[:alnum:]_.-]+`)
	quotedForm    = regexp.MustCompile(`^(?:'[^'\\]*'|"[^"\\]*")`)
)

// rule is a part of a policy: a principal, or a gate.
type rule struct {
	principal Principal
	rules     []rule // a gate's rules, at least one
	needed    int    // how many of rules a gate needs
}

// anyOf appends the rule's principals. It returns an error unless any one of them is enough.
func (r rule) anyOf(principals []Principal) ([]Principal, error) {
	if r.rules == nil {
		return append(principals, r.principal), nil
	}
	if r.needed != 1 {
		return nil, errors.Errorf("signature policy is not an OR concatenation, NOutOf %d", r.needed)
	}
	var err error
	for _, inner := range r.rules {
		if principals, err = inner.anyOf(principals); err != nil {
			return nil, err
		}
	}
	return principals, nil
}

// parsePolicy parses any signature policy.
func parsePolicy(policy string) (rule, error) {
	p := parser{rest: policy}
	gate := p.word()
	if gate == "" {
		return rule{}, errors.Errorf("policy begins with %s, want a gate, as in OR('Org1MSP.member', 'Org2MSP.member')", p.next())
	}
	r, err := p.gate(gate, 1)
	if err != nil {
		return rule{}, err
	}
	if p.space(); p.rest != "" {
		return rule{}, errors.Errorf("policy has %s behind its end", p.next())
	}
	return r, nil
}

// parser reads a policy from the left.
type parser struct{ rest string }

// gate reads what follows a gate's name.
func (p *parser) gate(name string, depth int) (rule, error) {
	kind := strings.ToUpper(name)
	switch name {
	case "OR", "Or", "or", "AND", "And", "and", "OUTOF", "OutOf", "outof":
	default:
		return rule{}, errors.Errorf("unrecognized token '%.64s' in policy string, want a gate, such as OR, or a principal in quotes", name)
	}
	if depth > maxDepth {
		return rule{}, errors.Errorf("gates of the policy are nested more than %d deep", maxDepth)
	}
	if !p.accept('(') {
		return rule{}, errors.Errorf("%s is followed by %s, want (", name, p.next())
	}
	r := rule{needed: 1}
	if kind == "OUTOF" {
		var err error
		if r.needed, err = p.number(name); err != nil {
			return rule{}, err
		}
	}
	if err := p.rules(&r, kind == "OUTOF", depth); err != nil {
		return rule{}, err
	}
	if kind == "AND" {
		r.needed = len(r.rules)
	}
	if r.needed < 0 || r.needed > len(r.rules)+1 { // one more stands for a gate that nobody can fulfil
		return rule{}, errors.Errorf("invalid t-out-of-n predicate, t %d, n %d", r.needed, len(r.rules))
	}
	return r, nil
}

// rules reads a gate's rules, and what closes it. more says that something of the gate has been read already.
func (p *parser) rules(gate *rule, more bool, depth int) error {
	for !p.accept(')') {
		if more && !p.accept(',') {
			return errors.Errorf("policy has %s, want a comma or )", p.next())
		}
		more = true
		r, err := p.rule(depth)
		if err != nil {
			return err
		}
		gate.rules = append(gate.rules, r)
	}
	if len(gate.rules) == 0 {
		return errors.New("expected at least two arguments to NOutOf. Given 1") // Fabric counts the number, too
	}
	return nil
}

// rule reads a principal in quotes or a gate.
func (p *parser) rule(depth int) (rule, error) {
	if name := p.word(); name != "" {
		return p.gate(name, depth+1)
	}
	text, ok := p.quoted()
	if !ok {
		return rule{}, errors.Errorf("policy has %s, want a gate, such as OR, or a principal in quotes", p.next())
	}
	parts := principalForm.FindStringSubmatch(text)
	if parts == nil {
		return rule{}, errors.Errorf("unrecognized token '%.64s' in policy string, want an MSP's ID, of letters, digits, dots and dashes, "+
			"and a role, which is member, admin, client, peer or orderer, as in 'Org1MSP.member'", text)
	}
	return rule{principal: Principal{MSPID: parts[1], Role: Role(parts[2])}}, nil
}

// number reads the number of an OutOf, which may be in quotes.
func (p *parser) number(gate string) (int, error) {
	text, ok := p.quoted()
	if !ok {
		text = p.word()
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, errors.Errorf("%s has %.64q, want a number first, as in OutOf(1, 'Org1MSP.member', 'Org2MSP.member')", gate, text)
	}
	return int(n), nil
}

func (p *parser) space() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

// accept reads the character c, if it comes next.
func (p *parser) accept(c byte) bool {
	p.space()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// word reads a word that is not in quotes. It may find none.
func (p *parser) word() string {
	p.space()
	w := wordForm.FindString(p.rest)
	p.rest = p.rest[len(w):]
	return w
}

// quoted reads what is in quotes, if that comes next.
func (p *parser) quoted() (string, bool) {
	p.space()
	q := quotedForm.FindString(p.rest)
	if q == "" {
		return "", false
	}
	p.rest = p.rest[len(q):]
	return q[1 : len(q)-1], true
}

// next returns the text that can't be read, for an error.
func (p *parser) next() string {
	if p.space(); p.rest == "" {
		return "its end"
	}
	return strconv.Quote(p.rest[:min(len(p.rest), 32)])
}
