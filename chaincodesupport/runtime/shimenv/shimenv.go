// Package shimenv is what chaincode that dials its peer is told when it is started: variables of its environment, and files
// whose paths are in some of them. If you write a runtime of your own, for Docker or Kubernetes say, this is what the container
// needs.
//
// All official shims read the same variables, but not the same files:
//
//	CORE_CHAINCODE_ID_NAME            the chaincode ID                            Go, Node, Java
//	CORE_PEER_ADDRESS                 where the peer is                           Java; for the others it is an argument
//	CORE_PEER_LOCALMSPID              the peer's organization                     Go, Node, Java
//	CORE_PEER_TLS_ENABLED             true or false, which Go insists on          Go, Node, Java
//	CORE_PEER_TLS_ROOTCERT_FILE       path of the peer's CA certificate           Go, Node, Java
//	CORE_TLS_CLIENT_KEY_PATH          path of the private key, base64 of PEM      Node, Java
//	CORE_TLS_CLIENT_CERT_PATH         path of the certificate, base64 of PEM      Node, Java
//	CORE_TLS_CLIENT_KEY_FILE          path of the private key, PEM                Go
//	CORE_TLS_CLIENT_CERT_FILE         path of the certificate, PEM                Go
//	CORE_CHAINCODE_LOGGING_LEVEL      how much the chaincode logs                 chaincode that looks at it
//	CORE_CHAINCODE_LOGGING_SHIM       how much the shim logs                      shims that look at it
//	CORE_CHAINCODE_LOGGING_FORMAT     how they log                                chaincode that looks at it
//
// The arguments that the shims expect:
//
//	./chaincode -peer.address HOST:PORT                               Go
//	fabric-chaincode-node start --peer.address HOST:PORT              Node
//	java -jar chaincode.jar --peerAddress HOST:PORT                   Java, which takes neither sockets nor IPv6 addresses
package shimenv

import (
	"cmp"
	"encoding/base64"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Settings is what one chaincode is told.
type Settings struct {
	// ChaincodeID is what the chaincode registers as. Required.
	ChaincodeID string
	// PeerAddress is where the chaincode finds the peer: host:port or unix:///path, as seen from where the chaincode runs.
	// CheckAddress checks its form. Empty for a chaincode that is a server: it is told of no peer.
	PeerAddress string
	// MSPID is the ID of the peer's organization. Shims fail if chaincode asks for it and it is not set. Empty means
	// SampleOrg, as in Fabric's core.yaml.
	MSPID string
	// Credential is what the chaincode proves its ID with. Nil means plaintext.
	Credential *runtime.Credential
	// Dir is the absolute path of the folder that has the Files, as seen from where the chaincode runs. For a container, it
	// may be a folder that isn't on this machine. Required with a Credential.
	Dir string
	// LogLevel and ShimLogLevel say how much chaincode and shim log. Empty means "info" and "warning", as in Fabric.
	LogLevel, ShimLogLevel string
	// LogFormat is the format of their logs. Empty means that it is not set.
	LogFormat string
}

// LocalMSPID is MSPID or, if that is empty, its default.
func (s *Settings) LocalMSPID() string { return cmp.Or(s.MSPID, "SampleOrg") }

// Environ returns the variables, as KEY=value.
func (s *Settings) Environ() []string {
	env := []string{"CORE_CHAINCODE_ID_NAME=" + s.ChaincodeID}
	if s.PeerAddress != "" {
		env = append(env, "CORE_PEER_ADDRESS="+s.PeerAddress)
	}
	env = append(env,
		"CORE_PEER_LOCALMSPID="+s.LocalMSPID(),
		"CORE_CHAINCODE_LOGGING_LEVEL="+cmp.Or(s.LogLevel, "info"),
		"CORE_CHAINCODE_LOGGING_SHIM="+cmp.Or(s.ShimLogLevel, "warning"),
	)
	if s.LogFormat != "" {
		env = append(env, "CORE_CHAINCODE_LOGGING_FORMAT="+s.LogFormat)
	}
	if s.Credential == nil {
		return append(env, "CORE_PEER_TLS_ENABLED=false") // the Go shim insists on it
	}
	env = append(env, "CORE_PEER_TLS_ENABLED=true")
	for _, f := range files(s.Credential) {
		env = append(env, f.variable+"="+join(s.Dir, f.Name))
	}
	return env
}

// join joins paths of this machine, and of containers. Those of containers have slashes even if the peer runs on Windows.
func join(dir, name string) string {
	if strings.HasPrefix(dir, "/") {
		return path.Join(dir, name)
	}
	return filepath.Join(dir, name)
}

// Files returns the files that must be in Dir before the chaincode starts. Nobody else may read them, because some hold its
// private key. In plaintext there are none.
func (s *Settings) Files() []File {
	if s.Credential == nil {
		return nil
	}
	var all []File
	for _, f := range files(s.Credential) {
		all = append(all, f.File)
	}
	return all
}

// FileNames returns the names that Files may have.
func FileNames() []string {
	var names []string
	for _, f := range files(&runtime.Credential{}) {
		names = append(names, f.Name)
	}
	return names
}

// File is a file that chaincode reads.
type File struct {
	// Name has no folder in it.
	Name    string
	Content []byte
}

// pointed is a file to which a variable points.
type pointed struct {
	File
	variable string
}

// files returns the files that Fabric's peer puts into a container, under their names there. If the name of the variable
// ends with PATH, the file is base64 of PEM, because the Node and Java shims read only that.
func files(c *runtime.Credential) []pointed {
	return []pointed{
		{File{"client.key", encoded(c.Key)}, "CORE_TLS_CLIENT_KEY_PATH"},
		{File{"client.crt", encoded(c.Cert)}, "CORE_TLS_CLIENT_CERT_PATH"},
		{File{"client_pem.key", c.Key}, "CORE_TLS_CLIENT_KEY_FILE"},
		{File{"client_pem.crt", c.Cert}, "CORE_TLS_CLIENT_CERT_FILE"},
		{File{"peer.crt", c.RootCert}, "CORE_PEER_TLS_ROOTCERT_FILE"},
	}
}

func encoded(pem []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(pem)) }

// WriteTemp writes files into a new folder. Only the peer's user can enter the folder and read the files. The folder is made
// in parent by pattern, as os.MkdirTemp does it. An empty parent is the system's folder for temporary files. WriteTemp
// returns the absolute path of the folder, which the caller removes. If there is an error, nothing is left.
//
// On Windows, the parent says who can read a file. A user's own folder for temporary files is closed to others.
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

// CheckAddress accepts a peer's address that a shim can dial, from any working directory: host:port or, on Unix, the path of
// a socket, unix:///path. Unless TLS secures the connection, the address must be on this machine.
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
