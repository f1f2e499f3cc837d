//go:build unix

package process

import (
	"encoding/base64"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// tlsFiles are the credential of one run, in a folder of its own, as shims read it.
type tlsFiles struct {
	dir    string
	env    []string
	revoke func()
}

// newTLSFiles mints a credential for one run and writes it down. With an issuer of nil there is nothing but the setting
// that says so.
func newTLSFiles(issuer runtime.Issuer, chaincodeID string) (*tlsFiles, error) {
	if issuer == nil {
		return &tlsFiles{env: []string{"CORE_PEER_TLS_ENABLED=false"}}, nil // the Go shim insists on it
	}
	c, err := issuer.Issue(chaincodeID)
	if err != nil {
		return nil, err
	}
	f := &tlsFiles{env: []string{"CORE_PEER_TLS_ENABLED=true"}, revoke: c.Revoke}
	if err := f.write(c); err != nil {
		return nil, errors.WithMessage(errorOf(err, f.remove()), "write the chaincode's TLS files")
	}
	return f, nil
}

// write fills a new folder with the files that Fabric's peer puts into a container, under their names there. The ones
// called PATH are base64 of PEM, which is all that the Node and Java shims read.
func (f *tlsFiles) write(c *runtime.Credential) (err error) {
	if f.dir, err = os.MkdirTemp("", "chaincode-tls-"); err != nil { // which only its owner can enter
		return err
	}
	if f.dir, err = filepath.Abs(f.dir); err != nil { // chaincode has a working directory of its own
		return err
	}
	for _, file := range []struct {
		variable, name string
		content        []byte
	}{
		{"CORE_TLS_CLIENT_KEY_PATH", "client.key", encoded(c.Key)},
		{"CORE_TLS_CLIENT_CERT_PATH", "client.crt", encoded(c.Cert)},
		{"CORE_TLS_CLIENT_KEY_FILE", "client_pem.key", c.Key},
		{"CORE_TLS_CLIENT_CERT_FILE", "client_pem.crt", c.Cert},
		{"CORE_PEER_TLS_ROOTCERT_FILE", "peer.crt", c.RootCert},
	} {
		path := filepath.Join(f.dir, file.name)
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			return err
		}
		f.env = append(f.env, file.variable+"="+path)
	}
	return nil
}

func encoded(pem []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(pem)) }

// remove revokes the credential and removes its files.
func (f *tlsFiles) remove() error {
	if f.revoke != nil {
		f.revoke()
	}
	if f.dir == "" {
		return nil
	}
	return os.RemoveAll(f.dir)
}

// errorOf returns the first of two errors that isn't nil.
func errorOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
