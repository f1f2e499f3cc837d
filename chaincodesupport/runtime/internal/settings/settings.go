// Package settings is what chaincode that dials its peer is told, as official shims want to be told it: by variables of the
// environment, and by files whose paths are in some of them.
package settings

import (
	"cmp"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Chaincode is what a chaincode is told.
type Chaincode struct {
	// ID is the chaincode's, and PeerAddress is where it finds the peer.
	ID, PeerAddress string
	// Credential is what it proves its ID with, and Dir is the absolute path of the folder that has the Files of it. Nil
	// means plaintext.
	Credential *runtime.Credential
	Dir        string
	// MSPID and LogFormat are not set if they are empty.
	MSPID, LogFormat string
	// LogLevel and ShimLogLevel are "info" and "warning", as in Fabric, if they are empty.
	LogLevel, ShimLogLevel string
}

// Environ returns the variables, as KEY=value.
func (c *Chaincode) Environ() []string {
	env := []string{
		"CORE_CHAINCODE_ID_NAME=" + c.ID,
		"CORE_PEER_ADDRESS=" + c.PeerAddress,
		"CORE_CHAINCODE_LOGGING_LEVEL=" + cmp.Or(c.LogLevel, "info"),
		"CORE_CHAINCODE_LOGGING_SHIM=" + cmp.Or(c.ShimLogLevel, "warning"),
	}
	if c.LogFormat != "" {
		env = append(env, "CORE_CHAINCODE_LOGGING_FORMAT="+c.LogFormat)
	}
	if c.MSPID != "" {
		env = append(env, "CORE_PEER_LOCALMSPID="+c.MSPID)
	}
	if c.Credential == nil {
		return append(env, "CORE_PEER_TLS_ENABLED=false") // the Go shim insists on it
	}
	env = append(env, "CORE_PEER_TLS_ENABLED=true")
	for _, f := range Files(c.Credential) {
		env = append(env, f.variable+"="+filepath.Join(c.Dir, f.Name))
	}
	return env
}

// File is one that chaincode reads.
type File struct {
	Name    string
	Content []byte

	variable string // has its path
}

// Files returns what Fabric's peer puts into a container, under their names there. Those whose variables are called PATH
// are base64 of PEM, which is all that the Node and Java shims read.
func Files(c *runtime.Credential) []File {
	return []File{
		{"client.key", encoded(c.Key), "CORE_TLS_CLIENT_KEY_PATH"},
		{"client.crt", encoded(c.Cert), "CORE_TLS_CLIENT_CERT_PATH"},
		{"client_pem.key", c.Key, "CORE_TLS_CLIENT_KEY_FILE"},
		{"client_pem.crt", c.Cert, "CORE_TLS_CLIENT_CERT_FILE"},
		{"peer.crt", c.RootCert, "CORE_PEER_TLS_ROOTCERT_FILE"},
	}
}

func encoded(pem []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(pem)) }

// WriteTemp writes files that only the peer's user can read into a new folder, as os.MkdirTemp makes it, that only this user
// can enter. It returns the absolute path of the folder, which the caller removes. If there is an error, nothing is left.
func WriteTemp(parent, pattern string, files ...File) (dir string, err error) {
	parent, err = filepath.Abs(cmp.Or(parent, os.TempDir())) // chaincode has a working directory of its own
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(parent, pattern); err != nil {
		return "", err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
			_ = os.RemoveAll(dir) // the first error says more
			return "", err
		}
	}
	return dir, nil
}

// CheckAddress accepts a peer's address that a shim of any language can dial, from any working directory. Without TLS, that
// must be on this machine.
func CheckAddress(address string, secured bool) error {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		if !filepath.IsAbs(path) {
			return errors.Errorf("peer address %q has no absolute path: write unix:///path", address)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" || port == "0" {
		return errors.Errorf("peer address %q cannot be dialled: write host:port or unix:///path", address)
	}
	if ip := net.ParseIP(host); !secured && host != "localhost" && !ip.IsLoopback() {
		return errors.Errorf("peer address %q is not on this machine: plaintext is for loopback and unix: only, give Config.TLS", address)
	}
	return nil
}
