package peer

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/lockdir"
	"github.com/ccpeer/ccpeer/internal/ondisk"
	"github.com/ccpeer/ccpeer/internal/privatedir"
	"github.com/ccpeer/ccpeer/internal/tlsca"
)

// folder is where a network keeps what must outlive it. "" keeps nothing.
//
//	organizations/Org1MSP/ca/cert.pem, key.pem      the organization's CA
//	organizations/Org1MSP/tlsca/cert.pem, key.pem   its CA for TLS
//	organizations/Org1MSP/msp                       what others must know of it
//	organizations/Org1MSP/peers/peer0.Org1MSP/msp   a peer
//	organizations/Org1MSP/peers/peer0.Org1MSP/tls   its TLS certificate: server.crt, server.key, ca.crt
//	organizations/Org1MSP/users/alice/msp           a client
//	organizations/Org1MSP/users/alice/tls           its TLS certificate: client.crt, client.key, ca.crt
//	channels/mychannel.json                         what was deployed on a channel
type folder string

// in returns what is below a folder. Names are escaped as in URLs, so that any name makes a file.
func (f folder) in(names ...string) folder {
	if f == "" {
		return ""
	}
	path := string(f)
	for _, name := range names {
		name = url.QueryEscape(name)
		if strings.HasPrefix(name, ".") {
			name = "%2E" + name[1:]
		}
		path = filepath.Join(path, name)
	}
	return folder(path)
}

// prepare makes the folder, or takes the access to it from others, and keeps other networks from using it until release is called.
func (f folder) prepare() (release func(), err error) {
	if f == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, errors.Wrap(err, "make folder")
	}
	if _, err := privatedir.Tighten(string(f)); err != nil {
		return nil, err
	}
	release, err = lockdir.Lock(string(f)) // does nothing on Windows
	return release, errors.WithMessagef(err, "lock folder %s", string(f))
}

// organization returns an organization with the CAs that it had before, or new ones.
func (f folder) organization(mspID string) (*organization, error) {
	o := &organization{folder: f.in("organizations", mspID), clients: map[string]*identity.Identity{}, pairs: map[string]tlsca.Pair{}}
	var err error
	if o.tls, err = o.folder.tlsCA(mspID); err != nil {
		return nil, err
	}
	if o.msp, err = o.folder.in("ca").loadMSP(mspID); err != nil {
		return nil, err
	}
	if o.msp != nil {
		return o, o.addTLSRoot(o.folder.in("msp"))
	}
	if o.msp, err = identity.NewMSP(identity.MSPConfig{ID: mspID}); err != nil || f == "" {
		return o, err
	}
	key, err := o.msp.KeyPEM()
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(string(o.folder.in("msp"))); err != nil { // left by one that ended in between
		return nil, errors.Wrap(err, "remove MSP folder without a CA")
	}
	if err := mspfolder.Write(string(o.folder.in("msp")), o.public(), nil); err != nil {
		return nil, err
	}
	return o, o.folder.in("ca").write(map[string][]byte{"cert.pem": o.msp.CertificatePEM(), "key.pem": key})
}

// loadMSP returns the MSP whose CA is in the folder, or nil.
func (f folder) loadMSP(mspID string) (*identity.MSP, error) {
	if f == "" {
		return nil, nil
	}
	certificate, err := os.ReadFile(filepath.Join(string(f), "cert.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "read CA")
	}
	key, err := os.ReadFile(filepath.Join(string(f), "key.pem"))
	if err != nil {
		return nil, errors.Wrap(err, "read CA")
	}
	return identity.LoadMSP(mspID, certificate, key)
}

// write makes the folder, with all files or not at all.
func (f folder) write(files map[string][]byte) error {
	parent := filepath.Dir(string(f))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return errors.Wrap(err, "make folder")
	}
	unfinished, err := os.MkdirTemp(parent, ".unfinished-")
	if err != nil {
		return errors.Wrap(err, "make folder")
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // it isn't there any more if all went well
	for name, content := range files {
		if err := writeSynced(filepath.Join(unfinished, name), content); err != nil {
			return err
		}
	}
	if err := syncFolder(unfinished); err != nil {
		return err
	}
	if err := os.Rename(unfinished, string(f)); err != nil {
		return errors.Wrap(err, "give the folder its name")
	}
	return syncFolder(parent)
}

// replace makes the folder in place of one that may be there. If the process ends in between, there is none, and never a part of one.
func (f folder) replace(files map[string][]byte) error {
	parent := filepath.Dir(string(f))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return errors.Wrap(err, "make folder")
	}
	aside, err := os.MkdirTemp(parent, ".unfinished-")
	if err != nil {
		return errors.Wrap(err, "make folder")
	}
	defer func() { _ = os.RemoveAll(aside) }()
	if err := os.Rename(string(f), filepath.Join(aside, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Wrap(err, "put folder aside")
	}
	return f.write(files)
}

// writeSynced writes a file that is on disk when it returns. The folder may not know of it yet: see syncFolder.
func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Wrap(err, "write file")
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return errors.Wrapf(err, "write file %s", path)
}

// syncFolder has the names of a folder's files on disk when it returns.
func syncFolder(path string) error {
	return errors.Wrapf(ondisk.Sync(path), "write folder %s to disk", path)
}

// member returns an identity of the organization as it was before, or a new one.
func (o *organization) member(kind, name string, cfg identity.Config) (*identity.Identity, error) {
	dir := string(o.folder.in(kind, name, "msp"))
	if dir != "" {
		if _, err := os.Lstat(dir); err == nil {
			if err := o.addTLSRoot(folder(dir)); err != nil {
				return nil, err
			}
			return readMember(dir, o.msp.ID(), name)
		}
	}
	id, err := o.msp.Issue(cfg)
	if err != nil || dir == "" {
		return id, err
	}
	return id, mspfolder.Write(dir, o.public(), id)
}

func readMember(dir, mspID, name string) (*identity.Identity, error) {
	_, id, err := mspfolder.Read(dir, mspID)
	switch {
	case err != nil:
		return nil, err
	case id == nil:
		return nil, errors.Errorf("MSP folder %s has no identity", dir)
	case id.Certificate().Subject.CommonName != name: // a file system may take Alice for alice
		return nil, errors.Errorf("MSP folder %s is that of %q", dir, id.Certificate().Subject.CommonName)
	}
	return id, nil
}
