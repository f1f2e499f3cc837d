package realfabric_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// difference is something that ours answers otherwise than the network that was recorded, and why.
type difference struct {
	why string
	// steps are those that it is to be seen in, as a regular expression that names begin with. With any, it need only be seen in
	// one of those that match.
	steps string
	any   bool
	// edit makes ours of what Fabric answers, or a part of it. It may change what it gets.
	edit func(got any) any
}

// Those of several differences.
const (
	filters = "A gateway's own peer refuses an expired certificate, and a timestamp that is off, as other peers do. Before, a gateway didn't ask " +
		"it so, and nobody looked at timestamps."
	checks  = "An incomplete request for a transaction's status is refused before it is decided who may ask. Before, it was the other way round."
	orderer = "The orderer has no organization of its own. It is of the first one."
)

// since are the differences that Fabric has made since April 2023, of which the network is that was recorded.
func since() []difference {
	const (
		expired  = `["<peer of Org1MSP> Org1MSP: proposal client identity expired","<peer of Org2MSP> Org2MSP: rpc error: code = Unknown desc = proposal client identity expired"]`
		refused  = `{"code":"Unavailable","details":` + expired + `,"message":"failed to evaluate transaction, see attached details for more info"}`
		late     = "request unauthorized due to incorrect timestamp <time>, peer time <time>, peer.authentication.timewindow 15m0s"
		lateHere = "<peer of Org1MSP> Org1MSP: " + late
	)
	return []difference{
		{why: filters, steps: "(evaluate|qscc): with an expired certificate", edit: set("", refused)},
		{why: filters, steps: "cscc: another's", edit: set("4.1", refused)},
		{why: filters, steps: "endorse: with an expired certificate", edit: set("", `{"code":"Aborted","details":["<peer of Org1MSP> Org1MSP: proposal client identity expired"],
			"message":"failed to endorse transaction, see attached details for more info","type":"EndorseError"}`)},
		{why: filters, steps: "proposal: no timestamp", edit: set("", `{
			"endorse":{"code":"Aborted","details":["`+lateHere+`"],"message":"failed to endorse transaction, see attached details for more info"},
			"endorser":{"code":"Unknown","message":"`+late+`"},
			"evaluate":{"code":"Unavailable","details":["`+lateHere+`","<peer of Org2MSP> Org2MSP: rpc error: code = Unknown desc = `+late+`"],
				"message":"failed to evaluate transaction, see attached details for more info"}}`)},
		{why: filters, steps: "(proposal: no channel header|request: (no proposal|an empty proposal|no bytes))", edit: set("endorser.message", `"`+late+`"`)},
		{why: filters, steps: "request: a channel header that isn't one", edit: set("endorser.message",
			`"failed parsing channel header: error unmarshalling ChannelHeader: proto: cannot parse invalid wire-format data"`)},
		{why: checks, steps: "status: no identity", edit: set("", `{"code":"InvalidArgument","message":"no identity provided"}`)},
		{why: checks, steps: "status: (no channel|nothing but an identity)", edit: set("", `{"code":"InvalidArgument","message":"no channel ID provided"}`)},
		{why: checks, steps: "status: no transaction ID", edit: set("", `{"code":"InvalidArgument","message":"transaction ID should not be empty"}`)},
		{
			why:   "Blocks come without their transactions if only headers are wanted. Before, nobody looked at what is wanted.",
			steps: "content: headers by Deliver(WithPrivateData)?$", edit: func(got any) any {
				for _, b := range got.([]any) {
					if m, ok := b.(map[string]any); ok {
						m["transactions"] = nil
						delete(m, "dataHashIsOfData")
					}
				}
				return got
			},
		},
	}
}

// otherwise are the differences of ours.
func otherwise() []difference {
	return []difference{
		{
			why:   "Transactions don't read the definitions of chaincode, which are not the state of a chaincode.",
			steps: "", any: true, edit: each("results", func(v any) any { return without(v, "_lifecycle") }),
		},
		{
			why:   "Blocks are not signed by the orderer. It is in the process of the peers, and no client looks.",
			steps: "", any: true, edit: each("lastConfig", func(v any) any {
				if m, ok := v.(map[string]any); ok {
					m["signatures"] = 0.
				}
				return v
			}),
		},
		{
			why:   "Every peer answers rich queries. Fabric's does if its store is CouchDB.",
			steps: "evaluate: a rich query", edit: set("", `{"payload":""}`),
		},
		{
			why:   "The orderer takes no updates of a channel's configuration, which follows what the network is given.",
			steps: "broadcast: an update of the configuration",
			edit:  set("0", `"BAD_REQUEST: error applying config update to existing channel 'mychannel': this orderer takes no config updates"`),
		},
		{why: orderer, steps: "discovery: ", any: true, edit: each("msps", func(v any) any { return without(v, "OrdererMSP") })},
		{why: orderer, steps: "discovery: ", any: true, edit: each("orderers", func(v any) any {
			m := v.(map[string]any)
			m["Org1MSP"] = m["OrdererMSP"]
			return without(m, "OrdererMSP")
		})},
		{why: orderer, steps: "cscc: the configuration", edit: each("group Orderer", func(v any) any {
			m := v.(map[string]any)
			of := m["group OrdererMSP"].(map[string]any)
			delete(of, "policy Endorsement")
			delete(of, "value Endpoints")
			m["group Org1MSP"] = of
			return without(m, "group OrdererMSP")
		})},
		{
			why:   "A channel's configuration has no anchor peers: peers don't gossip.",
			steps: "cscc: the configuration", edit: each("group Application", func(v any) any {
				for _, o := range v.(map[string]any) {
					if m, ok := o.(map[string]any); ok {
						delete(m, "value AnchorPeers")
					}
				}
				return v
			}),
		},
	}
}

func differences() []difference { return append(since(), otherwise()...) }

// TestDocumentedDifferences holds docs/differences.md against the table.
func TestDocumentedDifferences(t *testing.T) {
	var text strings.Builder
	for _, part := range []struct {
		title string
		all   []difference
	}{{"What Fabric has changed since April 2023", since()}, {"What ours does otherwise", otherwise()}} {
		fmt.Fprintf(&text, "\n**%s**\n\n", part.title)
		var said []string
		for _, d := range part.all {
			if !slices.Contains(said, d.why) {
				said = append(said, d.why)
				fmt.Fprintf(&text, "- %s\n", d.why)
			}
		}
	}
	text.WriteString("\n")
	golden.Block(t, filepath.Join("..", "..", "docs", "differences.md"), "differences", text.String())
}

// without is a map without a key, or nil if nothing else is in it.
func without(v any, key string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	delete(m, key)
	if len(m) == 0 {
		return nil
	}
	return m
}

// each edits whatever has a name, wherever it is.
func each(name string, edit func(any) any) func(any) any {
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				if k == name {
					inner = edit(inner)
				}
				v[k] = walk(inner)
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		}
		return v
	}
	return walk
}

// set puts JSON at a path, such as 1.message, or instead of everything.
func set(path, text string) func(any) any {
	return func(got any) any {
		value := parsed(text)
		if path == "" {
			return value
		}
		names := strings.Split(path, ".")
		at := got
		for i, name := range names {
			last := i == len(names)-1
			switch in := at.(type) {
			case map[string]any:
				if last {
					in[name] = value
				}
				at = in[name]
			case []any:
				n, err := strconv.Atoi(name)
				if err != nil || n >= len(in) {
					return got
				}
				if last {
					in[n] = value
				}
				at = in[n]
			default:
				return got
			}
		}
		return got
	}
}

// parsed is JSON as a value. What isn't JSON is nil, and so never equal.
func parsed(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	return v
}

// same reports whether two texts are the same JSON.
func same(a, b string) bool { return reflect.DeepEqual(parsed(a), parsed(b)) }
