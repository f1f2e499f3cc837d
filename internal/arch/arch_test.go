// Package arch_test holds the arrows of docs/architecture.md: which package may import which, of this module and of
// others. A new package needs a line in allowed, and so a thought about where it belongs.
package arch_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

const module = "github.com/ccpeer/ccpeer/"

// Third parties, named once.
const (
	anything = "..."
	btree    = "github.com/tidwall/btree"
	fsm      = "github.com/looplab/fsm"
	grpc     = "google.golang.org/grpc/..."
	codes    = "google.golang.org/grpc/codes"
	status   = "google.golang.org/grpc/status"
	protobuf = "google.golang.org/protobuf/..."
	goleak   = "go.uber.org/goleak"
	yaml     = "go.yaml.in/yaml/v3"
	windows  = "golang.org/x/sys/windows"
	zap      = "go.uber.org/zap/..."
)

// everyone may be imported by every package, as may the standard library.
const everyone = "github.com/pkg/errors"

// allowed says what the code of a package, its tests apart, may import. Packages of this module are named by their
// folder. A name that ends in "/..." stands for the package and all below it; for a package, the line of the longest
// folder that fits is the one that counts. A package need not exist yet.
var allowed = map[string][]string{
	// Who only decodes messages doesn't link gRPC: the services are apart.
	"proto":        {protobuf},
	"proto/pbgrpc": {"proto", grpc},
	// Not grpc itself: the handler knows streams, not servers and connections.
	"handler": {"proto", "ledger", "internal/goroutines", "internal/limit", "internal/loglimit", fsm, zap, codes, status, protobuf},

	"chaincodesupport": {
		"handler", "proto", "proto/pbgrpc", "ledger", "chaincodesupport/runtime", "chaincodesupport/internal/gate", "internal/goroutines", "internal/limit",
		"internal/loglimit", grpc, protobuf, zap,
	},
	"chaincodesupport/internal/gate":   {},
	"chaincodesupport/runtime":         {"proto"},
	"chaincodesupport/runtime/inproc":  {"chaincodesupport/runtime", "proto", "internal/pipe"},
	"chaincodesupport/runtime/process": {"chaincodesupport/runtime", "chaincodesupport/runtime/internal/group", "chaincodesupport/runtime/shimenv", "internal/lockdir", "internal/loglimit", zap},
	"chaincodesupport/runtime/dial":    {"chaincodesupport/runtime", "chaincodesupport/internal/gate", "proto", "proto/pbgrpc", grpc, zap},
	"chaincodesupport/runtime/server":  {"chaincodesupport/runtime", "chaincodesupport/runtime/dial", "chaincodesupport/runtime/internal/group", "chaincodesupport/runtime/process", "proto"},
	"chaincodesupport/runtime/builder": {
		"chaincodesupport/runtime", "chaincodesupport/runtime/dial", "chaincodesupport/runtime/internal/group", "chaincodesupport/runtime/shimenv", "internal/lockdir",
		"internal/ondisk", "internal/privatedir", zap,
	},
	"chaincodesupport/runtime/attach": {"chaincodesupport/runtime", "chaincodesupport/runtime/shimenv", "internal/loglimit", zap},
	// What Windows has to end a program with its children, Job Objects, the standard library doesn't know.
	"chaincodesupport/runtime/internal/group": {"chaincodesupport/runtime", zap, windows},
	"chaincodesupport/runtime/shimenv":        {"chaincodesupport/runtime"},
	// The suite of runtimes is a peer, and a chaincode, of its own.
	"chaincodesupport/runtime/runtimetest": {"chaincodesupport/runtime", "proto", "proto/pbgrpc", grpc, protobuf, goleak},
	"chaincodesupport/accesscontrol":       {"chaincodesupport/runtime", "internal/loglimit", grpc, zap},

	"identity": {"proto", protobuf},
	// Fabric's tools write YAML.
	"identity/mspfolder": {"identity", yaml},
	"block":              {"proto", "identity", protobuf},
	"policies":           {"proto", "identity", protobuf},
	"channelconfig":      {"block", "proto", "identity", "policies", protobuf},
	"collections":        {"handler", "ledger", "proto", "identity", "policies", protobuf},

	// The parts, assembled.
	"peer": {
		"chaincodesupport",
		"chaincodesupport/runtime",
		"channelconfig",
		"handler",
		"ledger",
		"ledger/kvledger",
		"ledger/kvledger/store",
		"ledger/kvledger/store/memory",
		"block",
		"collections",
		"identity",
		"identity/mspfolder",
		"policies",
		"peer/committer",
		"peer/discovery",
		"peer/endorser",
		"peer/ordering",
		"internal/lockdir",
		"internal/ondisk",
		"internal/privatedir",
		"internal/tlsca",
		"proto",
		protobuf,
		zap,
		"peer/gateway",
		"peer/gateway/plan",
		codes,
		status,
		"peer/acl",
		"peer/system",
		"peer/broadcast",
		"peer/deliver",
		"proto/pbgrpc",
	},
	// A part of a peer, which another peer can take.
	"peer/ordering": {"block", "identity", "policies", "proto", protobuf, zap},
	"peer/endorser": {"chaincodesupport", "handler", "ledger", "block", "identity", "policies", "proto", protobuf, zap},
	"peer/acl":      {"identity", "policies", "proto", protobuf, zap},
	// It knows peers, orderers and ledgers by small interfaces, so that it serves other peers, too.
	"peer/gateway":      {"block", "identity", "peer/acl", "peer/gateway/plan", "peer/ordering", "policies", "proto", "proto/pbgrpc", codes, status, protobuf, zap},
	"peer/gateway/plan": {"identity", "policies", "proto"},
	// They know gRPC, because streams are what they are about.
	"peer/broadcast": {"peer/ordering", "proto", "proto/pbgrpc", protobuf, zap},
	"peer/deliver":   {"block", "identity", "peer/acl", "internal/loglimit", "internal/portions", "proto", "proto/pbgrpc", grpc, protobuf, zap},
	"peer/discovery": {"identity", "ledger", "peer/acl", "policies", "proto", protobuf, zap},
	// They are chaincode, in the peer's process.
	"peer/system": {"chaincodesupport", "chaincodesupport/runtime", "chaincodesupport/runtime/inproc", "peer/acl", "proto", "shim", protobuf},
	// Whose services they are, it doesn't know.
	"peer/devnet": {"peer", "peer/server", "peer/deliver", grpc, zap},
	"peer/server": {"proto", "proto/pbgrpc", "internal/limit", "internal/loglimit", grpc, zap},
	// It runs no chaincode.
	"peer/committer": {"ledger", "ledger/kvledger", "block", "identity", "policies", "proto", "internal/loglimit", "internal/portions", protobuf, zap},

	// The kit is a peer with everything that belongs to one, and the chaincode's half for chaincode in its process.
	"chaincodetest": {
		"chaincodesupport", "chaincodesupport/runtime", "chaincodesupport/runtime/inproc", "chaincodesupport/runtime/process", "chaincodesupport/runtime/dial",
		"chaincodetest/internal/guard", "chaincodetest/internal/otherclock", "collections", "handler", "identity", "ledger", "ledger/kvledger", "ledger/kvledger/store",
		"ledger/kvledger/store/memory", "peer", "proto", "proto/pbgrpc", "shim", grpc, protobuf, zap,
	},
	"chaincodetest/internal/guard":      {},
	"chaincodetest/internal/otherclock": {},

	"ledger":            {},
	"ledger/ledgertest": {"ledger", "proto", protobuf},
	// The B-tree orders a block's own updates, for the ranges that are validated over them.
	"ledger/kvledger":                {"ledger", "block", "proto", "internal/portions", "ledger/kvledger/internal/...", "ledger/kvledger/store", protobuf, btree},
	"ledger/kvledger/internal/mango": {},
	"ledger/kvledger/kvledgertest":   {"ledger", "ledger/ledgertest", "ledger/kvledger", "ledger/kvledger/store", "block", "proto", protobuf},
	// A store knows keys and values, not what a ledger makes of them.
	"ledger/kvledger/store/...":    {"ledger/kvledger/store"},
	"ledger/kvledger/store/memory": {"ledger/kvledger/store", btree},
	// Who reads is who reserves: the suite plays that part.
	"ledger/kvledger/store/storetest": {"ledger", "ledger/kvledger/store"},
	// Measured is what a ledger makes of an engine.
	"ledger/kvledger/store/storebench": {"ledger/kvledger", "ledger/kvledger/store"},

	// The other end of the wire: it must not know the peer's.
	"shim":     {"proto", "proto/pbgrpc", grpc, protobuf},
	"shim/cid": {"proto", protobuf},

	"internal/arch":     {},
	"internal/certtest": {"identity"},
	"internal/copying":  {"ledger", "ledger/kvledger/store"},
	"internal/doctable": {},
	// It plays clients and endorsers, but knows no peer: the rows are for others' peers, too.
	"internal/envelopes":     {"identity", "policies", "proto", protobuf},
	"internal/gatewayclient": {"identity", "proto", "proto/pbgrpc", grpc, protobuf},
	"internal/threadtime":    {},
	"internal/goroutines":    {},
	"internal/tlsca":         {},
	// It is a peer with its ledger, and the chaincode that attacks it.
	"internal/hostile":    {"chaincodesupport", "handler", "ledger", "ledger/kvledger", "ledger/kvledger/store", "proto", "proto/pbgrpc", "shim", grpc, protobuf, goleak},
	"internal/limit":      {},
	"internal/lockdir":    {},
	"internal/loglimit":   {zap},
	"internal/mutate":     {},
	"internal/pipe":       {"proto", protobuf},
	"internal/ondisk":     {},
	"internal/portions":   {protobuf},
	"internal/privatedir": {},
	"internal/streamtest": {"proto", protobuf},
	"internal/transcript": {"handler", "proto", "internal/golden", "internal/streamtest", protobuf},
	"internal/golden":     {},
	"internal/diagram":    {},
	"internal/netfault":   {},
	"internal/bench/...":  {anything},
}

// matches says whether path is what pattern names.
func matches(pattern, path string) bool {
	if pattern == anything {
		return true
	}
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return path == pattern
}

// ruleFor returns the line of allowed that counts for a package.
func ruleFor(allowed map[string][]string, pkg string) (may []string, found bool) {
	longest := ""
	for pattern, imports := range allowed {
		if folder := strings.TrimSuffix(pattern, "/..."); matches(pattern, pkg) && len(folder) > len(longest) {
			longest, may, found = folder, imports, true
		}
	}
	return may, found
}

// violations returns what is wrong with a package's imports, a sentence each.
func violations(allowed map[string][]string, pkg string, imports []string) []string {
	may, found := ruleFor(allowed, pkg)
	if !found {
		return []string{fmt.Sprintf("package %s has no line in the map: say there what it may import", pkg)}
	}
	var bad []string
	for _, path := range imports {
		first, _, _ := strings.Cut(path, "/")
		standard := !strings.Contains(first, ".")
		path = strings.TrimPrefix(path, module)
		fits := func(pattern string) bool { return matches(pattern, path) }
		if !standard && path != everyone && !slices.ContainsFunc(may, fits) {
			bad = append(bad, fmt.Sprintf("package %s must not import %s", pkg, path))
		}
	}
	return bad
}

type listed struct {
	ImportPath string
	Imports    []string
}

// list returns every package of the module that the working directory is in, as it is for a system.
func list(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	// In the workspace, the other modules' packages match, too.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS="+goos)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	var pkgs []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		pkgs := list(t, goos)
		if len(pkgs) == 0 {
			t.Fatalf("go list finds no package for %s", goos)
		}
		for _, p := range pkgs {
			for _, v := range violations(allowed, strings.TrimPrefix(p.ImportPath, module), p.Imports) {
				t.Errorf("for %s: %s", goos, v)
			}
		}
	}
}

func TestViolations(t *testing.T) {
	rules := map[string][]string{
		"a":       {"b", codes},
		"b/...":   {"c/...", grpc},
		"b/inner": {anything},
	}
	for _, tc := range []struct {
		pkg, imports string
		want         []string
	}{
		{"a", "fmt", nil},
		{"a", everyone, nil},
		{"a", module + "b", nil},
		{"a", module + "b/below", []string{"package a must not import b/below"}},
		{"a", module + "c", []string{"package a must not import c"}},
		{"a", "google.golang.org/grpc/codes", nil},
		{"a", "google.golang.org/grpc", []string{"package a must not import google.golang.org/grpc"}},
		{"b", module + "c", nil},
		{"b/below", module + "c/d", nil},
		{"b/below", module + "cd", []string{"package b/below must not import cd"}},
		{"b/below", "google.golang.org/grpc/status", nil},
		{"b/inner", "example.com/x", nil},
		{"c", "fmt", []string{"package c has no line in the map: say there what it may import"}},
	} {
		if got := violations(rules, tc.pkg, []string{tc.imports}); !slices.Equal(got, tc.want) {
			t.Errorf("%s importing %s: %q, want %q", tc.pkg, tc.imports, got, tc.want)
		}
	}
}
