package policies

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
)

// Parse reads a signature policy in Fabric's language (common/policydsl): OutOf(2, 'Org1MSP.peer', AND('Org2MSP.peer',
// "org-3.example.com.admin")). What follows the last dot of a principal is the role. What comes before it is the MSP's ID, of
// letters, digits, dots and dashes.
//
// There are gates, which can be nested: OR, AND and OutOf. OutOf has a number before its rules. Each may be written in
// capitals, in small letters, or as Or, And and OutOf. A single principal without a gate is no policy, nor is it in Fabric.
//
// Some things that Fabric accepts are errors here: arithmetic, fractions, parentheses around expressions, a missing comma
// after a gate (Fabric drops what follows), and gates that are nested more than 100 deep.
func Parse(policy string) (Signature, error) {
	p := parser{rest: policy}
	gate := p.word()
	if gate == "" {
		return Signature{}, errors.Errorf("policy begins with %s, want a gate, as in OR('Org1MSP.member', 'Org2MSP.member')", p.next())
	}
	r, err := p.gate(gate, 1)
	if err != nil {
		return Signature{}, err
	}
	if p.space(); p.rest != "" {
		return Signature{}, errors.Errorf("policy has %s behind its end", p.next())
	}
	return r, nil
}

// maxDepth is how deep gates can be nested.
const maxDepth = 100

var (
	principalForm = regexp.MustCompile(`^([[:alnum:].-]+)\.(admin|member|client|peer|orderer)$`)
	wordForm      = regexp.MustCompile(`^[[:alnum:]_.-]+`)
	quotedForm    = regexp.MustCompile(`^(?:'[^'\\]*'|"[^"\\]*")`)
)

// parser reads a policy from the left.
type parser struct{ rest string }

// gate reads what follows a gate's name.
func (p *parser) gate(name string, depth int) (Signature, error) {
	kind := strings.ToUpper(name)
	switch name {
	case "OR", "Or", "or", "AND", "And", "and", "OUTOF", "OutOf", "outof":
	default:
		return Signature{}, errors.Errorf("unrecognized token '%.64s' in policy string, want a gate, such as OR, or a principal in quotes", name)
	}
	if depth > maxDepth {
		return Signature{}, errors.Errorf("gates of the policy are nested more than %d deep", maxDepth)
	}
	if !p.accept('(') {
		return Signature{}, errors.Errorf("%s is followed by %s, want (", name, p.next())
	}
	r := Signature{Needed: 1}
	if kind == "OUTOF" {
		var err error
		if r.Needed, err = p.number(name); err != nil {
			return Signature{}, err
		}
	}
	if err := p.rules(&r, kind == "OUTOF", depth); err != nil {
		return Signature{}, err
	}
	if kind == "AND" {
		r.Needed = len(r.Rules)
	}
	if r.Needed < 0 || r.Needed > len(r.Rules)+1 { // one more stands for a gate that nobody can fulfil
		return Signature{}, errors.Errorf("invalid t-out-of-n predicate, t %d, n %d", r.Needed, len(r.Rules))
	}
	return r, nil
}

// rules reads a gate's rules, and what closes it. more says that something of the gate has been read already.
func (p *parser) rules(gate *Signature, more bool, depth int) error {
	for !p.accept(')') {
		if more && !p.accept(',') {
			return errors.Errorf("policy has %s, want a comma or )", p.next())
		}
		more = true
		r, err := p.rule(depth)
		if err != nil {
			return err
		}
		gate.Rules = append(gate.Rules, r)
	}
	if len(gate.Rules) == 0 {
		return errors.New("expected at least two arguments to NOutOf. Given 1") // Fabric counts the number, too
	}
	return nil
}

// rule reads a principal in quotes or a gate.
func (p *parser) rule(depth int) (Signature, error) {
	if name := p.word(); name != "" {
		return p.gate(name, depth+1)
	}
	text, ok := p.quoted()
	if !ok {
		return Signature{}, errors.Errorf("policy has %s, want a gate, such as OR, or a principal in quotes", p.next())
	}
	parts := principalForm.FindStringSubmatch(text)
	if parts == nil {
		return Signature{}, errors.Errorf("unrecognized token '%.64s' in policy string, want an MSP's ID, of letters, digits, dots and dashes, "+
			"and a role, which is member, admin, client, peer or orderer, as in 'Org1MSP.member'", text)
	}
	return SignedBy(identity.Principal{MSPID: parts[1], Role: identity.Role(parts[2])}), nil
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
