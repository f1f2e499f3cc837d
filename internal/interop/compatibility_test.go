package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/transcript"
)

// compatibility is the README's table of what has been tested; internal/arch compares the two.
const compatibility = "testdata/compatibility.md"

// TestCompatibility compares the table with the ways that there are. -update writes it.
func TestCompatibility(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Shim | Version | Runs |\n|---|---|---|\n")
	var families []*family
	runs := map[*family][]string{}
	for _, w := range ways(t) {
		if len(runs[w.family]) == 0 {
			families = append(families, w.family)
		}
		runs[w.family] = append(runs[w.family], inWords(t, w))
	}
	for _, f := range families {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", f.shim, f.version(t), strings.Join(runs[f], ", "))
	}
	if transcript.Update() {
		if err := os.WriteFile(compatibility, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(compatibility)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("%s says\n%s\nwant\n%s\n-update writes it", compatibility, want, got)
	}
}

// inWords says how chaincode is run.
func inWords(t *testing.T, w way) string {
	words := map[string]string{"tcp": "over TCP", "unix": "over a Unix socket", "inproc": "in process", "server": "as a server that the peer dials"}
	if words[w.name] == "" {
		t.Errorf("%s: there are no words for this way", w)
	}
	return words[w.name]
}

// version is that of the shim that is tested, by its manifest.
func (f *family) version(t *testing.T) string {
	b, err := os.ReadFile(f.manifest)
	if err != nil {
		t.Fatal(err)
	}
	version := moduleVersion(b, f.shim)
	if filepath.Base(f.manifest) == "package.json" {
		version = packageVersion(t, b, f.shim)
	}
	if version == "" {
		t.Fatalf("%s does not say which version of %s is tested", f.manifest, f.shim)
	}
	return version
}

// moduleVersion finds a module's version in a go.mod: the one that it is replaced by, or else the one required.
func moduleVersion(mod []byte, module string) (version string) {
	for s := bufio.NewScanner(bytes.NewReader(mod)); s.Scan(); {
		words := strings.Fields(strings.TrimPrefix(s.Text(), "replace "))
		switch {
		case len(words) == 4 && words[0] == module && words[1] == "=>":
			return words[3]
		case len(words) >= 2 && words[0] == module:
			version = words[1]
		}
	}
	return version
}

// packageVersion finds a package's version in a package.json.
func packageVersion(t *testing.T, manifest []byte, name string) string {
	var m struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dependencies[name]
}
