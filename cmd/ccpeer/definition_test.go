package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// The demo has the index of chaincode asset in its code.
func TestAssetIndex(t *testing.T) {
	indexes, err := kvledger.LoadIndexes(os.DirFS("../../examples/chaincode/asset"))
	if err != nil || len(indexes) != 1 {
		t.Fatalf("the indexes of asset are %v (%v), want one", indexes, err)
	}
	index, err := kvledger.ParseIndex([]byte(assetIndex))
	if err != nil || !index.Equal(indexes[0]) {
		t.Errorf("the demo has %+v (%v), and asset %+v", index, err, indexes[0])
	}
}

const collectionsConfig = `[
	{"name": "secrets", "policy": "OR('Org1MSP.member')", "requiredPeerCount": 0, "maxPeerCount": 1, "blockToLive": 1,
		"memberOnlyRead": true, "memberOnlyWrite": true},
	{"name": "theirs", "policy": "OR('OtherMSP.member')", "requiredPeerCount": 0, "maxPeerCount": 1, "blockToLive": 0,
		"memberOnlyRead": true, "memberOnlyWrite": true}
]`

// TestServeDefinitions defines a chaincode, and starts the peer again without doing so.
func TestServeDefinitions(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "collections_config.json")
	write1(t, file, collectionsConfig)
	const index = `{"index":{"fields":["size"]},"ddoc":"sizeDoc","name":"size","type":"json"}`
	write1(t, filepath.Join(dir, "META-INF/statedb/couchdb/indexes/size.json"), index)
	write1(t, filepath.Join(dir, "META-INF/statedb/couchdb/collections/secrets/indexes/size.json"), index)

	s := servePeerWithData(t, data, append(anyPort, "--collections-config", "probe="+file, "--indexes", "probe="+dir)...)
	useDefinitions(t, s)
	ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["seek","k"]}`, "--api", s.api).check(t, exitOK, "gold\n")
	for range 2 { // the value lives for one block after its own
		ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["put","k","x"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
	}
	if r := ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["seek","k"]}`, "--api", s.api); r.status != exitOK || r.stdout != "\n" {
		t.Errorf("what has expired is %q (exit status %d, %s)", r.stdout, r.status, r.stderr)
	}
	s.stop(t)

	s = servePeerWithData(t, data, anyPort...)
	useDefinitions(t, s)
	s.stop(t)

	// A definition is replaced as a whole: there are no collections any more.
	onlyIndexes := []string{"--indexes", "probe=" + dir}
	peerWithData(t, data, append(append([]string{"serve", "--dev"}, anyPort...), onlyIndexes...)...).
		check(t, exitFailed, `index "size" is for collection "secrets", which is not defined`)
	if err := os.RemoveAll(filepath.Join(dir, "META-INF/statedb/couchdb/collections")); err != nil {
		t.Fatal(err)
	}
	s = servePeerWithData(t, data, append(onlyIndexes, anyPort...)...)
	ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["hide","k","gold"]}`, "--api", s.api).check(t, exitFailed, "could not be found")
	ccpeer(t, "explain", "-n", "probe", `{"selector":{"size":1}}`, "--api", s.api).check(t, exitOK, "sizeDoc/size")
	s.stop(t)
}

// useDefinitions uses what TestServeDefinitions defines.
func useDefinitions(t *testing.T, s *served) {
	t.Helper()
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"invoke", "-n", "probe", "-c", `{"Args":["hide","k","gold"]}`}, exitOK, "(VALID)"},
		{[]string{"invoke", "-n", "probe", "-c", `{"Args":["hideElsewhere","theirs"]}`}, exitFailed, "tx creator does not have write access permission"},
		{[]string{"invoke", "-n", "probe", "-c", `{"Args":["hideElsewhere","nowhere"]}`}, exitFailed, "could not be found"},
		{[]string{"invoke", "-n", "probe", "-c", `{"Args":["hideElsewhere","_implicit_org_Org1MSP"]}`}, exitOK, "(VALID)"},
		{[]string{"explain", "-n", "probe", `{"selector":{"size":1}}`}, exitOK, "sizeDoc/size"},
		{[]string{"explain", "-n", "probe", "--collection", "secrets", `{"selector":{"size":1}}`}, exitOK, "sizeDoc/size"},
		{[]string{"explain", "-n", "other", `{"selector":{"size":1}}`}, exitOK, "_all_docs"},
	} {
		ccpeer(t, append(c.args, "--api", s.api)...).check(t, c.status, c.want)
	}
}
