package clients_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// TestCompatibility holds the README's table of clients to what the programs are built with, and to how much they do. -update writes it.
func TestCompatibility(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Client | Version | Runs |\n|---|---|---|\n")
	row := func(client, version, runs string) { fmt.Fprintf(&table, "| `%s` | %s | %s |\n", client, version, runs) }
	const both = "%d steps, by TLS and mutual TLS%s"
	row("github.com/hyperledger/fabric-gateway", module(t, "github.com/hyperledger/fabric-gateway"), fmt.Sprintf("%d steps by TLS, some of them by mutual TLS, too", lines(t, "../testdata/script.jsonl")))
	row("@hyperledger/fabric-gateway", npm(t, "node", "@hyperledger/fabric-gateway"), fmt.Sprintf(both, steps(t, "node"), ", with ECDSA and Ed25519"))
	row("org.hyperledger.fabric:fabric-gateway", maven(t, "fabric-gateway"), fmt.Sprintf(both, steps(t, "java"), ", with ECDSA and Ed25519"))
	row("fabric-network", npm(t, "legacy", "fabric-network"), fmt.Sprintf(both, steps(t, "legacy-discovery"), ", with discovery and without"))
	golden.Block(t, "../../../README.md", "clients", table.String())
}

// steps are how many a program does.
func steps(t *testing.T, name string) int {
	t.Helper()
	return lines(t, filepath.Join("testdata", name+".jsonl"))
}

func lines(t *testing.T, file string) int {
	t.Helper()
	return strings.Count(string(readFile(t, file)), "\n")
}

// module is the version of a module in the go.mod of this one.
func module(t *testing.T, path string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(path) + ` (v\S+)`).FindStringSubmatch(string(readFile(t, "../go.mod")))
	if m == nil {
		t.Fatalf("go.mod doesn't say which version of %s is tested", path)
	}
	return m[1]
}

// npm is the version of a package in a package.json.
func npm(t *testing.T, project, name string) string {
	t.Helper()
	var m struct{ Dependencies map[string]string }
	if err := json.Unmarshal(readFile(t, filepath.Join(project, "package.json")), &m); err != nil || m.Dependencies[name] == "" {
		t.Fatalf("%s doesn't say which version of %s is tested: %v", project, name, err)
	}
	return m.Dependencies[name]
}

// maven is the version of an artifact in pom.xml.
func maven(t *testing.T, artifact string) string {
	t.Helper()
	var m struct {
		Dependencies struct {
			Dependency []struct {
				ArtifactID string `xml:"artifactId"`
				Version    string `xml:"version"`
			} `xml:"dependency"`
		} `xml:"dependencies"`
	}
	if err := xml.Unmarshal(readFile(t, "java/pom.xml"), &m); err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Dependencies.Dependency {
		if d.ArtifactID == artifact {
			return d.Version
		}
	}
	t.Fatalf("pom.xml doesn't say which version of %s is tested", artifact)
	return ""
}
