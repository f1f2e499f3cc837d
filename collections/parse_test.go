package collections_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/ledger"
)

// file is one that has everything.
const file = `[
	{
		"name": "assets", "policy": "OR('Org1MSP.member', 'Org2MSP.member')",
		"requiredPeerCount": 1, "maxPeerCount": 3, "blockToLive": 1000000, "memberOnlyRead": true, "memberOnlyWrite": true,
		"endorsementPolicy": {"signaturePolicy": "AND('Org1MSP.peer', 'Org2MSP.peer')"}
	},
	{"Name": "Org1-private_1", "POLICY": "or('Org1MSP.peer')", "endorsementPolicy": {"channelConfigPolicy": "/Channel/Application/Endorsement"}},
	{"name": "-", "policy": "OR('Org1MSP.member')", "maxPeerCount": 0, "blockToLive": 18446744073709551615, "endorsementPolicy": null}
]
`

func TestParse(t *testing.T) {
	want := []ledger.CollectionConfig{
		{
			Name: "assets", Policy: "OR('Org1MSP.member', 'Org2MSP.member')",
			RequiredPeerCount: 1, MaxPeerCount: 3, BlockToLive: 1000000, MemberOnlyRead: true, MemberOnlyWrite: true,
		},
		{Name: "Org1-private_1", Policy: "or('Org1MSP.peer')", MaxPeerCount: 1},
		{Name: "-", Policy: "OR('Org1MSP.member')", BlockToLive: 1<<64 - 1},
	}
	if got, err := collections.Parse([]byte(file)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := collections.Parse([]byte(" [ ] ")); err != nil || len(got) != 0 {
		t.Errorf("of an empty list: %v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const policy = `"policy": "OR('A.member')"`
	list := func(members ...string) string { return "[{" + strings.Join(members, "},\n{") + "}]" }
	for config, want := range map[string]string{
		"":          "it is empty: want a list of collections, as in [{",
		"null":      "want a list of collections, as in [{",
		"{}":        "want a list of collections, as in [{",
		"[\n{},\n}": "line 3: invalid character '}'",
		"[\n{\n":    "line 3: unexpected EOF",
		"[]\n\n[]":  "line 1: there is more behind the list",
		"[1]":       `collection 1, "": it is 1, want an object`,
		"[null]":    `collection 1, "": it is null, want an object`,
		list(`"name": "a", `+policy, `"name": "b", "memberOnlyReads": true`): `collection 2, "b": it has no member "memberOnlyReads", ` +
			"want one of name, policy, requiredPeerCount, maxPeerCount, blockToLive, memberOnlyRead, memberOnlyWrite, endorsementPolicy",
		list(`"name": "a", "memberOnlyRead": true, "MemberOnlyRead": false`): `collection 1, "a": member memberOnlyRead is there twice`,
		list(`"name": 7`): `collection 1, "": member name is 7, want a string`,
		list(`"name": "a", "policy": ["A.member"]`):                                                    `collection 1, "a": member policy is ["A.member"], want a string`,
		list(`"name": "a", "maxPeerCount": "3"`):                                                       `collection 1, "a": member maxPeerCount is "3", want a whole number`,
		list(`"name": "a", "requiredPeerCount": 1.5`):                                                  `collection 1, "a": member requiredPeerCount is 1.5, want a whole number`,
		list(`"name": "a", "requiredPeerCount": 2147483648`):                                           `member requiredPeerCount is 2147483648, want a whole number`,
		list(`"name": "a", "blockToLive": -1`):                                                         `collection 1, "a": member blockToLive is -1, want a number of blocks, 0 for ever`,
		list(`"name": "a", "memberOnlyWrite": "true"`):                                                 `collection 1, "a": member memberOnlyWrite is "true", want true or false`,
		list(`"name": "a", "endorsementPolicy": "x"`):                                                  `collection 1, "a": endorsementPolicy: it is "x", want an object`,
		list(`"name": "a", "endorsementPolicy": {"policy": ""}`):                                       `endorsementPolicy: it has no member "policy", want one of signaturePolicy, channelConfigPolicy`,
		list(`"name": "a", "endorsementPolicy": {"signaturePolicy": "x", "channelConfigPolicy": "y"}`): `endorsementPolicy: it has both signaturePolicy and channelConfigPolicy`,
		list(`"name": "a", "endorsementPolicy": {"signaturePolicy": "x"}`):                             `endorsementPolicy: invalid signature policy: x: unrecognized token 'x' in policy string`,

		// Fabric's texts.
		list(policy): "invalid collection name ''. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'",
		list(`"name": "_implicit_org_Org1MSP", ` + policy): "invalid collection name '_implicit_org_Org1MSP'. Names can only consist of " +
			"alphanumerics, '_', and '-' and cannot begin with '_'",
		list(`"name": "a.b", ` + policy):                        "invalid collection name 'a.b'. ",
		list(`"name": "a\n", ` + policy):                        "invalid collection name 'a\n'. ",
		list(`"name": "a", `+policy, `"name": "a", `+policy):    "collection-name: a -- found duplicate in collection configuration",
		list(`"name": "a", "requiredPeerCount": 2, ` + policy):  "collection-name: a -- maximum peer count (1) cannot be less than the required peer count (2)",
		list(`"name": "a", "requiredPeerCount": -1, ` + policy): "collection-name: a -- requiredPeerCount (-1) cannot be less than zero",
		list(`"name": "a"`):                                     "collection-name: a -- invalid policy : policy begins with its end, want a gate",
		list(`"name": "a", "policy": "OR('A.boss')"`):           "collection-name: a -- invalid policy OR('A.boss'): unrecognized token 'A.boss' in policy string",
		list(`"name": "a", "policy": "AND('A.member', 'B.member')"`): "collection-name: a -- error in member org policy: " +
			"signature policy is not an OR concatenation, NOutOf 2",
	} {
		got, err := collections.Parse([]byte(config))
		if got != nil || err == nil || !strings.HasPrefix(err.Error(), "parse collections: "+want) && !strings.Contains(err.Error(), ": "+want) {
			t.Errorf("%s: got %v, %v, want %q", config, got, err, want)
		}
	}
}

// What Parse returns is written by encoding/json as what Parse reads.
func FuzzParse(f *testing.F) {
	for _, config := range []string{file, "[]", "[{}]", "null", `[{"name":"a","policy":"OR('A.member')","x":1}]`, `[{"name":"a","name":"b"}]`} {
		f.Add([]byte(config))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		got, err := collections.Parse(config)
		if err != nil {
			if got != nil {
				t.Errorf("got both %v and %v", got, err)
			}
			return
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := collections.Parse(b); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%s: got %+v, and of it, %s, %+v, %v", config, got, b, again, err)
		}
		for _, c := range got {
			if c.Name == "" || strings.HasPrefix(c.Name, "_") || c.MaxPeerCount < c.RequiredPeerCount {
				t.Errorf("accepted %+v", c)
			}
		}
	})
}
