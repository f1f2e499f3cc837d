// Package target describes a network to programs that are clients of it, whoever's network it is: where its servers are, whom they
// trust, and who the clients can be. The description is a JSON file, with certificates and keys in files of their own.
package target

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
)

// File is the name of a description's file.
const File = "network.json"

// Target is a network with one channel.
type Target struct {
	// Channel is the ID of the channel.
	Channel string `json:"channel"`
	// Organizations are those with a peer.
	Organizations []Organization `json:"organizations"`
	// Orderer is where transactions are ordered.
	Orderer Orderer `json:"orderer"`
	// Chaincodes are the names of what is defined on the channel.
	Chaincodes []string `json:"chaincodes"`
	// TLSClient is what clients show when they connect, if servers want to see something.
	TLSClient *User `json:"tlsClient,omitempty"`
}

// Organization is an organization and its peer.
type Organization struct {
	// MSPID is the ID of its MSP.
	MSPID string `json:"mspid"`
	// Peer is where its peer listens: host:port.
	Peer string `json:"peer"`
	// ServerName is what the peer's certificate for TLS is for.
	ServerName string `json:"serverName"`
	// TLSRoot is the file of the certificate that the peer's is of.
	TLSRoot string `json:"tlsRoot"`
	// Users are identities of the organization, by names. Each has User1 and Admin.
	Users map[string]User `json:"users"`
}

// Orderer is an orderer. Its fields are as those of Organization.
type Orderer struct {
	Address    string `json:"address"`
	ServerName string `json:"serverName"`
	TLSRoot    string `json:"tlsRoot"`
	MSPID      string `json:"mspid"`
}

// User is an identity, in two PEM files.
type User struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// WriteUser writes an identity to a folder, under a name.
func WriteUser(dir, name string, id *identity.Identity) (User, error) {
	key, err := id.KeyPEM()
	if err != nil {
		return User{}, err
	}
	u := User{Cert: filepath.Join(dir, id.MSPID(), name+".cert.pem"), Key: filepath.Join(dir, id.MSPID(), name+".key.pem")}
	if err := WriteFile(u.Cert, id.CertificatePEM()); err != nil {
		return User{}, err
	}
	return u, WriteFile(u.Key, key)
}

// WriteFile writes a file that only its owner may read, and makes the folders that it is in.
func WriteFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return errors.WithStack(err)
	}
	return errors.WithStack(os.WriteFile(path, content, 0o600))
}

// Write writes the description to File in a folder, and returns where that is.
func (t *Target) Write(dir string) (path string, err error) {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return "", errors.Wrap(err, "marshal network's description")
	}
	path = filepath.Join(dir, File)
	return path, WriteFile(path, append(b, '\n'))
}

// Read reads a description.
func Read(path string) (*Target, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	t := &Target{}
	return t, errors.Wrapf(json.Unmarshal(b, t), "read %s", path)
}
