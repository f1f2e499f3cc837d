package peer

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/lockdir"
	"github.com/ccpeer/ccpeer/internal/privatedir"
)

// folder is where a network keeps what must outlive it. "" keeps nothing.
//
//	organizations/Org1MSP/ca/cert.pem, key.pem      the organization's CA
//	organizations/Org1MSP/msp                       what others must know of it
//	organizations/Org1MSP/peers/peer0.Org1MSP/msp   a peer
//	organizations/Org1MSP/users/alice/msp           a client
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

// organization returns an organization with the CA that it had before, or a new one.
func (f folder) organization(mspID string) (*organization, error) {
	o := &organization{folder: f.in("organizations", mspID), clients: map[string]*identity.Identity{}}
	var err error
	if o.msp, err = o.folder.in("ca").loadMSP(mspID); err != nil || o.msp != nil {
		return o, err
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
	if err := mspfolder.Write(string(o.folder.in("msp")), o.msp.Organization(), nil); err != nil {
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
		if err := os.WriteFile(filepath.Join(unfinished, name), content, 0o600); err != nil {
			return errors.Wrap(err, "write file")
		}
	}
	return errors.Wrap(os.Rename(unfinished, string(f)), "give the folder its name")
}

// member returns an identity of the organization as it was before, or a new one.
func (o *organization) member(kind, name string, cfg identity.Config) (*identity.Identity, error) {
	dir := string(o.folder.in(kind, name, "msp"))
	if dir != "" {
		if _, err := os.Lstat(dir); err == nil {
			return readMember(dir, o.msp.ID(), name)
		}
	}
	id, err := o.msp.Issue(cfg)
	if err != nil || dir == "" {
		return id, err
	}
	return id, mspfolder.Write(dir, o.msp.Organization(), id)
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

// kept is what is written of a chaincode that was deployed. Collections and indexes are in ledgers.
type kept struct {
	Name         string `json:"name"`
	Sequence     int    `json:"sequence"`
	Version      string `json:"version"`
	ID           string `json:"id"`
	Endorsement  string `json:"endorsement"`
	InitRequired bool   `json:"initRequired"`
	InitOptional bool   `json:"initOptional,omitempty"`
	// AnyCollection is there only with a chaincode whose namespace has no definition.
	AnyCollection bool `json:"anyCollection,omitempty"`
}

func (n *Network) keptFile(channelID string) string {
	return string(n.folder.in("channels", channelID+".json"))
}

// keepDeployed writes what is deployed on a channel.
func (n *Network) keepDeployed(channelID string) error {
	path := n.keptFile(channelID)
	if path == "" {
		return nil
	}
	var all []kept
	for _, d := range n.peers[0].Channel(channelID).definitions.all() {
		all = append(all, kept{d.Name, d.sequence, d.Version, d.ID, d.Endorsement, d.InitRequired, d.InitOptional, d.AnyCollection})
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return errors.Wrap(err, "marshal what is deployed")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return errors.Wrap(err, "make folder")
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return errors.Wrap(err, "keep what is deployed")
	}
	return errors.Wrap(os.Rename(path+".new", path), "keep what is deployed")
}

// deployKept gives channels what was deployed on them before.
func (n *Network) deployKept(ctx context.Context, channels []*Channel) error {
	path := n.keptFile(channels[0].cfg.ID)
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "read what was deployed")
	}
	var all []kept
	if err := json.Unmarshal(b, &all); err != nil {
		return errors.Wrapf(err, "parse %s", path)
	}
	for _, c := range channels {
		for _, k := range all {
			if err := c.restore(ctx, k); err != nil {
				return errors.WithMessagef(err, "chaincode %s of %s", k.Name, path)
			}
		}
	}
	return nil
}

// restore takes a definition that was kept.
func (c *Channel) restore(ctx context.Context, k kept) error {
	cc := Chaincode{
		Name: k.Name, Version: k.Version, ID: k.ID, Endorsement: k.Endorsement,
		InitRequired: k.InitRequired, InitOptional: k.InitOptional, AnyCollection: k.AnyCollection,
	}
	d, err := c.ledger.Definition(ctx, k.Name)
	if err != nil {
		return err
	}
	if d != nil && !k.AnyCollection {
		cc.Collections, cc.Indexes = d.Collections, d.Indexes
	}
	next, err := c.definitions.next(cc)
	if err != nil {
		return err
	}
	next.sequence = k.Sequence
	c.definitions.put(next)
	return nil
}
