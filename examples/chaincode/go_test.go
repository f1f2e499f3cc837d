package chaincode_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// build builds the Go chaincode in a folder, and says how to run it.
func build(t *testing.T, folder string) process.Config {
	t.Helper()
	watch(t, folder)
	program := filepath.Join(t.TempDir(), folder)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off") // as whoever has copied the folder builds it
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return process.Config{Command: program}
}

func TestOfficialGo(t *testing.T) {
	p := startPeer(t, "officialgo", build(t, "officialgo"))
	ann := p.client("ann@Org1MSP", nil)
	price := func(s string) map[string][]byte { return map[string][]byte{"price": []byte(s)} }
	p.run(
		call{client: ann, transient: price("500"), args: []string{"Create", "a1", "blue", "ann"},
			want: `{"id":"a1","color":"blue","owner":"ann"}`, event: "AssetCreated"},
		call{client: ann, transient: price("90"), args: []string{"Create", "a2", "red", "ann"},
			want: `{"id":"a2","color":"red","owner":"ann"}`, event: "AssetCreated"},
		call{client: ann, transient: price("90"), args: []string{"Create", "a1", "red", "ann"}, want: `asset "a1" already exists`, refused: true},
		call{client: ann, args: []string{"Create", "a3", "red", "ann"}, want: "no price in the transient map", refused: true},
		call{client: ann, args: []string{"Transfer", "a1", "bob"}, want: `{"id":"a1","color":"blue","owner":"bob"}`, event: "AssetTransferred"},
		call{client: ann, args: []string{"Transfer", "a1", "bob"}, want: `asset "a1" already belongs to "bob"`, refused: true},
		call{client: ann, args: []string{"Read", "a1"}, want: `{"id":"a1","color":"blue","owner":"bob"}`},
		call{client: ann, args: []string{"Read", "a3"}, want: `asset "a3" does not exist`, refused: true},
		call{client: ann, args: []string{"ListOf", "ann"}, want: `["a2"]`},
		call{client: ann, args: []string{"ListOf", "bob"}, want: `["a1"]`},
		call{client: ann, args: []string{"ListOf", "eve"}, want: `[]`},
		call{client: ann, args: []string{"Price", "a1"}, want: `"500"`},
		call{client: ann, args: []string{"Price", "a3"}, want: `asset "a3" has no price`, refused: true},
		call{client: ann, transient: price("500"), args: []string{"CheckPrice", "a1"}, want: `true`},
		call{client: ann, transient: price("501"), args: []string{"CheckPrice", "a1"}, want: `false`},
		call{client: ann, args: []string{"Create"}, want: "usage: Create ID COLOR OWNER, with the price in the transient map", refused: true},
		call{client: ann, args: []string{"Paint"}, want: `unknown function "Paint"`, refused: true},
	)
	p.wantState("a1", `{"id":"a1","color":"blue","owner":"bob"}`)
	p.wantState("a3", "")
	p.wantState("\x00owner\x00ann\x00a1\x00", "")
	p.wantState("\x00owner\x00bob\x00a1\x00", "\x00")
}

// Fabric's shim for Go speaks TLS over a Unix socket, too: the peer is localhost to it.
func TestOfficialGoOverUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "p") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := build(t, "officialgo")
	cfg.PeerAddress = "unix://" + filepath.Join(dir, "s")
	p := startPeer(t, "officialgo", cfg)
	p.run(call{client: p.client("ann@Org1MSP", nil), args: []string{"Read", "a3"}, want: `asset "a3" does not exist`, refused: true})
}

func TestContract(t *testing.T) {
	p := startPeer(t, "contract", build(t, "contract"))
	ann, bob := p.client("ann@Org1MSP", nil), p.client("bob@Org2MSP", map[string]string{"role": "registrar"})
	asset := func(id, rest, owner string) string {
		return fmt.Sprintf(`{"id":"%s",%s,"owner":"%s"}`, id, rest, owner)
	}
	blue, red := asset("a1", `"color":"blue","size":3`, ann.ID()), asset("a2", `"color":"red","size":9`, bob.ID())
	tagged := red[:len(red)-1] + `,"tags":["new","heavy"]}`
	bobs := asset("a1", `"color":"blue","size":3`, bob.ID())
	p.run(
		call{client: ann, args: []string{"Create", "a1", `{"color":"blue","size":3}`}, want: blue, event: "AssetCreated"},
		call{client: bob, args: []string{"Create", "a2", `{"color":"red","size":9,"tags":["new","heavy"]}`}, want: tagged, event: "AssetCreated"},
		call{client: bob, args: []string{"Create", "a1", `{"color":"red","size":9}`}, want: `asset "a1" already exists`, refused: true},
		call{client: ann, args: []string{"List", "0"}, want: "[" + blue + "," + tagged + "]"},
		call{client: ann, args: []string{"Assets:List", "4"}, want: "[" + tagged + "]"},
		call{client: ann, args: []string{"List", "10"}, want: "[]"},
		call{client: bob, args: []string{"Transfer", "a1", "eve"}, want: `asset "a1" is not the caller's`, refused: true},
		call{client: ann, args: []string{"Transfer", "a1", bob.ID()}, want: bobs, event: "AssetTransferred"},
		call{client: ann, args: []string{"Read", "a1"}, want: bobs},
		call{client: ann, args: []string{"Exists", "a3"}, want: "false"},
		call{client: ann, args: []string{"WhoAmI"}, want: `{"id":"` + ann.ID() + `","msp":"Org1MSP"}`},
		call{client: bob, args: []string{"Delete", "a2"}, event: "AssetDeleted"},
		call{client: bob, args: []string{"Delete", "a2"}, want: `asset "a2" does not exist`, refused: true},
		call{client: ann, args: []string{"Delete", "a1"}, refused: true,
			want: "only registrars delete assets: attribute 'role' was not found"},
		// What the contract API itself refuses.
		call{client: ann, args: []string{"List", "many"}, refused: true,
			want: "error managing parameter param0. conversion error. cannot convert passed value many to int"},
		call{client: ann, args: []string{"Create", "a3", `{"color":"red"}`}, refused: true,
			want: "error managing parameter param1. value did not match schema:\n1. param1: size is required"},
		call{client: ann, args: []string{"Paint", "a1"}, refused: true, want: "Function Paint not found in contract Assets"},
	)
	p.wantState("a1", bobs)
	p.wantState("a2", "")
}
