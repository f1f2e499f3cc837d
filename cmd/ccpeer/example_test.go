package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/peer/server"
)

// commentedOut matches the settings of ccpeer.yaml that are: prose has one space behind the #.
var commentedOut = regexp.MustCompile(`(?m)^#(\S|  )`)

// exampleFolder copies ccpeer.yaml to where it has what it names, with all of its settings, and returns its path.
func exampleFolder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "cmd", "ccpeer")
	text, err := os.ReadFile("ccpeer.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ccpeer.yaml")
	write1(t, file, commentedOut.ReplaceAllString(string(text), "$1"))
	if err := os.Symlink(buildChaincodes(t), filepath.Join(root, ".bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "examples/chaincode/asset"), os.DirFS("../../examples/chaincode/asset")); err != nil {
		t.Fatal(err)
	}
	writeBuilder(t, filepath.Join(dir, "builders/ccaas"))
	writeProgram(t, filepath.Join(dir, "local"), "#!/bin/sh\necho \"$@\" for $CHAINCODE_ID >&2\n")
	write1(t, filepath.Join(dir, "connection.json"), `{"address": "127.0.0.1:9999"}`)
	write1(t, filepath.Join(dir, "packaged.tar.gz"), packageText(t, "packaged", "ccaas", nil))
	write1(t, filepath.Join(dir, "collections_config.json"), collectionsConfig)
	return file
}

// TestExampleConfig runs a peer with everything that ccpeer.yaml has.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	file := exampleFolder(t)
	s := startServing(t, t.TempDir(), append(anyPort, "--config", file, "--advertise", "127.0.0.1")...)
	if s.ledger != "memory" || s.channels != "mychannel (1 block)" || !s.secure {
		t.Errorf("the peer is %+v", s)
	}
	for _, c := range []struct{ args, want string }{ // separated by |
		{`invoke|-n|asset|-c|{"Args":["Create","a1","blue","tom"]}`, "(VALID)"},
		{`invoke|-n|market|-c|{"Args":["Sell","a1","eve","100"]}`, "(VALID)"},
		{`query|-n|asset|-c|{"Args":["ByOwner","eve"]}`, `"id":"a1"`},
		{`explain|-n|asset|{"selector":{"owner":"eve"}}`, `json index "indexOwnerDoc/indexOwner"`},
		{`invoke|-n|packaged|-c|{"Args":["hide","k","gold"]}`, "(VALID)"},
	} {
		ccpeer(t, append(strings.Split(c.args, "|"), "--api", s.api)...).check(t, exitOK, c.want)
	}
	ccpeer(t, "query", "-n", "local", "-c", `{"Args":[]}`, "--api", s.api).check(t, exitFailed, "exited with 0: --chaincode-address 127.0.0.1:9998 for local:1.0")
	list := s.listed(t)
	for name, want := range map[string]string{
		"asset": "process ready", "market": "process ready", "remote": "server not launched", "secured": "server not launched", "packaged": "package ready",
		"mine": "attach not launched", "local": "server stopped",
	} {
		if got := list[name].Runtime + " " + list[name].State; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	s.stop(t)
}

// Every key is in ccpeer.yaml, and in the README's table.
func TestKeysAreDocumented(t *testing.T) {
	for file, form := range map[string]string{"ccpeer.yaml": "%s:", "README.md": "`%s"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e := new(chaincodeEntry)
		for _, known := range []map[string]reader{new(settings).keys(), limitKeys(new(chaincodesupport.Config)), gatewayLimitKeys(new(server.Limits)), e.keys(), e.runtimeKeys(), new(serverEntry).keys()} {
			for key := range known {
				if !strings.Contains(string(text), fmt.Sprintf(form, key)) {
					t.Errorf("%s doesn't have key %s", file, key)
				}
			}
		}
	}
}
