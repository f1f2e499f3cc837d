package collections

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
)

// Parse reads the definitions of a chaincode's collections, in the form of Fabric's collections_config.json. That is a list
// of objects with the members of ledger.CollectionConfig, and endorsementPolicy, an object that has signaturePolicy or
// channelConfigPolicy. As in Fabric (internal/peer/chaincode), the case of the members' names does not matter, and a missing
// maxPeerCount is 1. Fabric overlooks members that it does not know, and members that are there twice. Here both are errors.
//
// An endorsementPolicy is checked and left out, because this module does nothing with it.
//
// The definitions are checked as Fabric's lifecycle does (core/chaincode/lifecycle, scc.go), with its texts. Two checks are
// missing, which need to know the channel: whether the MSPs are members of it, and how the collections were defined before.
func Parse(config []byte) ([]ledger.CollectionConfig, error) {
	collections, err := parse(config)
	if err == nil {
		err = check(collections)
	}
	if err != nil {
		return nil, errors.WithMessage(err, "parse collections")
	}
	return collections, nil
}

func parse(config []byte) ([]ledger.CollectionConfig, error) {
	d := json.NewDecoder(bytes.NewReader(config))
	var raw []json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, located(config, err)
	}
	if raw == nil { // null
		return nil, errNoList
	}
	end := d.InputOffset()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.Errorf("line %d: there is more behind the list", lineAt(config, end))
	}
	collections := make([]ledger.CollectionConfig, len(raw))
	for i, r := range raw {
		var err error
		if collections[i], err = parseCollection(r); err != nil {
			return nil, errors.WithMessagef(err, "collection %d, %.64q", i+1, collections[i].Name)
		}
	}
	return collections, nil
}

var errNoList = errors.New(`want a list of collections, as in [{"name": "assets", "policy": "OR('Org1MSP.member')"}]`)

// located adds to an error where in the file it is, if the error says so.
func located(config []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return errors.Errorf("line %d: %v", lineAt(config, syntax.Offset), err)
	case errors.As(err, &wrong):
		return errNoList
	case errors.Is(err, io.EOF):
		return errors.WithMessage(errNoList, "it is empty")
	}
	return errors.Wrapf(err, "line %d", lineAt(config, int64(len(config))))
}

func lineAt(config []byte, offset int64) int {
	return bytes.Count(config[:min(int64(len(config)), offset)], []byte("\n")) + 1
}

// endorsementPolicy is checked and left out.
type endorsementPolicy struct{ signaturePolicy, channelConfigPolicy string }

// parseCollection reads one collection. With an error, it returns what it has read until then.
func parseCollection(object json.RawMessage) (ledger.CollectionConfig, error) {
	c := ledger.CollectionConfig{MaxPeerCount: 1}
	var endorsement json.RawMessage
	err := parseObject(object, []member{
		{"name", &c.Name, aString},
		{"policy", &c.Policy, aString},
		{"requiredPeerCount", &c.RequiredPeerCount, aNumber},
		{"maxPeerCount", &c.MaxPeerCount, aNumber},
		{"blockToLive", &c.BlockToLive, "a number of blocks, 0 for ever"},
		{"memberOnlyRead", &c.MemberOnlyRead, aBoolean},
		{"memberOnlyWrite", &c.MemberOnlyWrite, aBoolean},
		{"endorsementPolicy", &endorsement, "an object"},
	})
	if err != nil || endorsement == nil || string(endorsement) == "null" {
		return c, err
	}
	var e endorsementPolicy
	err = parseObject(endorsement, []member{
		{"signaturePolicy", &e.signaturePolicy, aString},
		{"channelConfigPolicy", &e.channelConfigPolicy, aString},
	})
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return c, errors.WithMessage(err, "endorsementPolicy")
	}
	return c, nil
}

func (e endorsementPolicy) check() error {
	if e.signaturePolicy == "" {
		return nil
	}
	if e.channelConfigPolicy != "" {
		return errors.New("it has both signaturePolicy and channelConfigPolicy, want one of them")
	}
	if _, err := policies.Parse(e.signaturePolicy); err != nil {
		return errors.WithMessagef(err, "invalid signature policy: %s", e.signaturePolicy)
	}
	return nil
}

// The kinds of members, as errors name them.
const (
	aString  = "a string"
	aNumber  = "a whole number"
	aBoolean = "true or false"
)

// member is one member of an object.
type member struct {
	name string
	into any
	want string
}

// parseObject reads an object that has no other members than these, each at most once.
func parseObject(object json.RawMessage, members []member) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Errorf("it is %.32s, want an object", object)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return errors.Wrap(err, "read object") // can't happen: it is JSON
		}
		name, _ := t.(string)
		m, ok := memberNamed(members, name)
		switch {
		case !ok:
			return errors.Errorf("it has no member %.64q, want one of %s", name, namesOf(members))
		case seen[m.name]:
			return errors.Errorf("member %s is there twice", m.name)
		}
		seen[m.name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errors.Wrapf(err, "read member %s", m.name) // can't happen: it is JSON
		}
		if json.Unmarshal(value, m.into) != nil {
			return errors.Errorf("member %s is %.64s, want %s", m.name, value, m.want)
		}
	}
	return nil
}

func memberNamed(members []member, name string) (member, bool) {
	for _, m := range members {
		if strings.EqualFold(m.name, name) {
			return m, true
		}
	}
	return member{}, false
}

func namesOf(members []member) string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return strings.Join(names, ", ")
}

var validName = regexp.MustCompile(`^[A-Za-z0-9-][A-Za-z0-9_-]*$`)

// check checks what Fabric's lifecycle checks before it accepts definitions.
func check(collections []ledger.CollectionConfig) error {
	seen := map[string]bool{}
	for _, c := range collections {
		if !validName.MatchString(c.Name) {
			return errors.Errorf("invalid collection name '%s'. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'", c.Name)
		}
		if seen[c.Name] {
			return errors.Errorf("collection-name: %s -- found duplicate in collection configuration", c.Name)
		}
		seen[c.Name] = true
		if err := checkCollection(c); err != nil {
			return err
		}
	}
	return nil
}

func checkCollection(c ledger.CollectionConfig) error {
	if c.MaxPeerCount < c.RequiredPeerCount {
		return errors.Errorf("collection-name: %s -- maximum peer count (%d) cannot be less than the required peer count (%d)",
			c.Name, c.MaxPeerCount, c.RequiredPeerCount)
	}
	if c.RequiredPeerCount < 0 {
		return errors.Errorf("collection-name: %s -- requiredPeerCount (%d) cannot be less than zero", c.Name, c.RequiredPeerCount)
	}
	policy, err := policies.Parse(c.Policy)
	if err != nil {
		return errors.WithMessagef(err, "collection-name: %s -- invalid policy %s", c.Name, c.Policy)
	}
	if _, err := policy.AnyOf(); err != nil {
		return errors.WithMessagef(err, "collection-name: %s -- error in member org policy", c.Name)
	}
	return nil
}
