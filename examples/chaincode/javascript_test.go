package chaincode_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// install installs what the JavaScript chaincode needs where that is not done yet, and says how to run it.
func install(t *testing.T) process.Config {
	t.Helper()
	watch(t, "javascript")
	find(t, "node")
	dir, err := filepath.Abs("javascript")
	if err != nil {
		t.Fatal(err)
	}
	if err := npmCI(t, dir); err != nil {
		t.Fatal(err)
	}
	return process.Config{
		Command: filepath.Join(dir, "node_modules", ".bin", "fabric-chaincode-node"),
		Args:    []string{"start", "--peer.address", "{{.PeerAddress}}"},
		Dir:     dir,
	}
}

// npmCI runs npm ci in a folder, unless it has done so for the package-lock.json that is there.
func npmCI(t *testing.T, dir string) error {
	want, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	done := filepath.Join(dir, "node_modules", ".installed.json") // npm ci removes it with the folder
	got, err := os.ReadFile(done)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(got) == string(want) {
		return nil
	}
	cmd := exec.CommandContext(t.Context(), find(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Wrapf(err, "npm ci in %s: %s", dir, out)
	}
	return os.WriteFile(done, want, 0o600)
}

// find finds a program without which the test can't be run.
func find(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("the JavaScript chaincode needs %s: install Node.js 18 or later, with npm (Debian: nodejs and npm): %v", name, err)
	}
	return path
}

func TestJavaScript(t *testing.T) {
	p := startPeer(t, "javascript", install(t))
	ann, bob := p.client("ann@Org1MSP", nil), p.client("bob@Org2MSP", nil)
	const (
		blue = `{"id":"a1","color":"blue","size":3,"owner":"Org1MSP"}`
		red  = `{"id":"a1","color":"red","size":3,"owner":"Org1MSP"}`
		bobs = `{"id":"b1","color":"green","size":0,"owner":"Org2MSP"}`
	)
	created := p.run(call{client: ann, args: []string{"Create", "a1", "blue", "3"}, want: blue, event: "AssetCreated"})
	painted := p.run(call{client: ann, args: []string{"Paint", "a1", "red"}, want: red, event: "AssetPainted"})
	p.run(
		call{client: bob, args: []string{"Create", "b1", "green", "0"}, want: bobs, event: "AssetCreated"},
		call{client: bob, args: []string{"Create", "a1", "green", "0"}, want: `asset "a1" already exists`, refused: true},
		call{client: bob, args: []string{"Create", "b2", "green", "big"}, want: `size must be a whole number, not "big"`, refused: true},
		call{client: bob, args: []string{"Paint", "a1", "green"}, want: `asset "a1" belongs to Org1MSP`, refused: true},
		call{client: ann, args: []string{"Read", "a1"}, want: red},
		call{client: ann, args: []string{"Read", "a2"}, want: `asset "a2" does not exist`, refused: true},
		call{client: ann, args: []string{"Assets:Exists", "a1"}, want: "true"},
		call{client: ann, args: []string{"List", "", ""}, want: "[" + red + "," + bobs + "]"},
		call{client: ann, args: []string{"List", "a", "b"}, want: "[" + red + "]"},
		call{client: ann, args: []string{"List", "c", ""}, want: "[]"},
		call{client: ann, args: []string{"Fly"}, want: "You've asked to invoke a function that does not exist: Fly", refused: true},
	)
	deleted := p.run(call{client: ann, args: []string{"Delete", "a1"}, event: "AssetDeleted"})
	p.run(call{client: ann, args: []string{"History", "a1"}, want: fmt.Sprintf(
		`[{"txId":"%s","deleted":true},{"txId":"%s","asset":%s},{"txId":"%s","asset":%s}]`, deleted, painted, red, created, blue)})
	p.wantState("a1", "")
	p.wantState("b1", bobs)
}
