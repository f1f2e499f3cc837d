package interop_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// nodeWays are those of the Node shims. They dial over TCP: of a Unix socket's URL these shims keep the host alone,
// which it has not.
func nodeWays(t testing.TB) []way {
	install(t)
	node, contract, old := nodeFamily("node", "shim25"), nodeContractFamily(), node22Family()
	return []way{
		{family: node, name: "tcp", listen: listenTCP, runtime: nodeClient("shim25")},
		{family: node, name: "server", runtime: nodeServer("shim25")},
		{family: contract, name: "tcp", listen: listenTCP, runtime: nodeContractClient},
		{family: contract, name: "server", runtime: nodeContractServer},
		{family: old, name: "tcp", listen: listenTCP, runtime: nodeClient("shim22")},
	}
}

// nodeFamily is that of the chaincode on fabric-shim in a project of nodechaincode.
func nodeFamily(name, project string) *family {
	return &family{name: name, shim: "fabric-shim", manifest: filepath.Join("nodechaincode", project, "package.json")}
}

// node22Family is a family of its own, as a transaction that fails ends with ERROR there.
func node22Family() *family {
	f := nodeFamily("node22", "shim22")
	f.failed = "ERROR %s %s"
	return f
}

func nodeContractFamily() *family {
	f := nodeFamily("nodecontract", "contract25")
	f.shim = "fabric-contract-api"
	f.program = func(words []string) []string { return append([]string{"Do"}, words...) }
	return f
}

// nodeClient runs a project's chaincode, which dials the peer.
func nodeClient(project string) func(testing.TB, string) runtime.Runtime {
	return func(t testing.TB, peerAddress string) runtime.Runtime {
		cfg := nodeProcess(t, project, "--peer.address", "{{.PeerAddress}}")
		cfg.PeerAddress = peerAddress
		return newProcess(t, cfg)
	}
}

// nodeServer runs a project's chaincode, which the peer dials.
func nodeServer(project string) func(testing.TB, string) runtime.Runtime {
	return func(t testing.TB, _ string) runtime.Runtime { return server{process: nodeProcess(t, project)} }
}

// nodeContractClient runs the contracts with the program that fabric-shim brings along for that.
func nodeContractClient(t testing.TB, peerAddress string) runtime.Runtime {
	cfg := nodeContractProcess(t, "start", "--peer.address", "{{.PeerAddress}}")
	cfg.PeerAddress = peerAddress
	return newProcess(t, cfg)
}

// nodeContractServer does the same for a server, whose own address is the one that the runtime is given.
func nodeContractServer(t testing.TB, _ string) runtime.Runtime {
	return server{process: nodeContractProcess(t,
		"server", "--chaincode-address", "{{.PeerAddress}}", "--chaincode-id", "{{.ChaincodeID}}")}
}

func nodeProcess(t testing.TB, project string, args ...string) process.Config {
	return process.Config{
		Command: command(t, "node"), Args: append([]string{"index.js"}, args...), Dir: projectDir(t, project), MSPID: mspID,
	}
}

func nodeContractProcess(t testing.TB, args ...string) process.Config {
	dir := projectDir(t, "contract25")
	return process.Config{
		Command: filepath.Join(dir, "node_modules", ".bin", "fabric-chaincode-node"), Args: args, Dir: dir, MSPID: mspID,
	}
}

func newProcess(t testing.TB, cfg process.Config) runtime.Runtime {
	r, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// command finds a program.
func command(t testing.TB, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("the Node shims need %s: install Node 18 or later with npm (Debian: nodejs and npm): %v", name, err)
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func projectDir(t testing.TB, project string) string {
	dir, err := filepath.Abs(filepath.Join("nodechaincode", project))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
