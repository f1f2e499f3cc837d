package shimenv_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
)

// What is not said has a default, as in Fabric; and samples end with "CORE_PEER_LOCALMSPID is not set" unless it is.
func TestDefaults(t *testing.T) {
	s := shimenv.Settings{ChaincodeID: "asset:1", PeerAddress: "localhost:7052", LogFormat: "%{message}"}
	want := []string{
		"CORE_CHAINCODE_ID_NAME=asset:1", "CORE_PEER_ADDRESS=localhost:7052", "CORE_PEER_LOCALMSPID=SampleOrg",
		"CORE_CHAINCODE_LOGGING_LEVEL=info", "CORE_CHAINCODE_LOGGING_SHIM=warning", "CORE_CHAINCODE_LOGGING_FORMAT=%{message}",
		"CORE_PEER_TLS_ENABLED=false",
	}
	if got := s.Environ(); !slices.Equal(got, want) {
		t.Errorf("environment is %q, want %q", got, want)
	}
	if files := s.Files(); len(files) > 0 {
		t.Errorf("there are files in plaintext: %v", files)
	}
}

// Every file has a variable with its path, a name that is known, and a place among the files that are written.
func TestFiles(t *testing.T) {
	s := shimenv.Settings{ChaincodeID: "asset:1", Credential: &runtime.Credential{Key: []byte("key"), Cert: []byte("cert"), RootCert: []byte("root")}}
	parent := t.TempDir()
	var err error
	if s.Dir, err = shimenv.WriteTemp(parent, "keys-", s.Files()...); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kv := range s.Environ() {
		name, path, _ := strings.Cut(kv, "=")
		if !strings.Contains(name, "_TLS_") || !filepath.IsAbs(path) {
			continue
		}
		names = append(names, filepath.Base(path))
		if _, err := os.ReadFile(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	slices.Sort(names)
	known := shimenv.FileNames()
	slices.Sort(known)
	if len(names) != 5 || !slices.Equal(names, known) {
		t.Errorf("variables point to %q, known are %q", names, known)
	}
}

// Where a file can't be written, none is left.
func TestWriteTempFails(t *testing.T) {
	parent := t.TempDir()
	dir, err := shimenv.WriteTemp(parent, "keys-", shimenv.File{Name: "a"}, shimenv.File{Name: filepath.Join("no", "such", "folder")})
	if err == nil || dir != "" {
		t.Errorf("got %q, %v", dir, err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
