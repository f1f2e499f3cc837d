package clients_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// compatibility is the README's table of the clients that are tested; internal/arch compares the two.
const compatibility = "testdata/compatibility.md"

// sdk is an official client, in the version that a manifest says.
type sdk struct {
	name, manifest string
	// programs are those of clients that are on it. Without any, it is the one of examples/application.
	programs []string
	runs     string
}

// What is run on this repository's network is run by TLS and by mutual TLS, as TestOurs says.
var sdks = []sdk{
	{"github.com/hyperledger/fabric-gateway", "../../../examples/go.mod", nil, "by TLS"},
	{"@hyperledger/fabric-gateway", "node/package.json", []string{"node"}, "by TLS and mutual TLS"},
	{"org.hyperledger.fabric:fabric-gateway", "java/pom.xml", []string{"java"}, "by TLS and mutual TLS"},
	{"fabric-network", "legacy/package.json", []string{"legacy-discovery", "legacy-static"}, "by TLS and mutual TLS, with discovery and without"},
}

// TestCompatibility compares the table with the clients that there are. -update writes it.
func TestCompatibility(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Client | Version | Runs |\n|---|---|---|\n")
	listed := map[string]bool{}
	for _, s := range sdks {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.name, s.version(t), s.runs)
		for _, program := range s.programs {
			listed[program] = true
		}
	}
	for _, c := range clients() {
		if !listed[c.name] {
			t.Errorf("%s is tested, and on no client of the table", c.name)
		}
		delete(listed, c.name)
	}
	if len(listed) > 0 {
		t.Errorf("the table has %v, which nothing tests", listed)
	}
	if golden.Update() {
		if err := os.WriteFile(compatibility, []byte(table.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(compatibility)
	if err != nil || table.String() != string(want) {
		t.Errorf("%s says\n%s\nwant\n%s\n-update writes it (%v)", compatibility, want, table.String(), err)
	}
}

// version is that of the client, by its manifest.
func (s sdk) version(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.manifest)
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	switch filepath.Base(s.manifest) {
	case "go.mod":
		if m := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(s.name) + ` (\S+)`).FindSubmatch(text); m != nil {
			version = string(m[1])
		}
	case "package.json":
		var p struct {
			Dependencies map[string]string `json:"dependencies"`
		}
		err = json.Unmarshal(text, &p)
		version = p.Dependencies[s.name]
	case "pom.xml":
		var p struct {
			Dependencies []struct {
				Group    string `xml:"groupId"`
				Artifact string `xml:"artifactId"`
				Version  string `xml:"version"`
			} `xml:"dependencies>dependency"`
		}
		err = xml.Unmarshal(text, &p)
		for _, d := range p.Dependencies {
			if d.Group+":"+d.Artifact == s.name {
				version = d.Version
			}
		}
	}
	if err != nil || version == "" {
		t.Fatalf("%s does not say which version of %s is tested (%v)", s.manifest, s.name, err)
	}
	return version
}
