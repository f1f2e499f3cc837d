package devnet

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer"
)

// ProfileConfig says what a connection profile is about.
type ProfileConfig struct {
	// MSPID is the organization of the application. One of the Peers must be its own. Required.
	MSPID string
	// Peers are where the network's peers are. Each of them takes transactions for the orderer, too. Required.
	Peers []Endpoint
	// Channels are the IDs of the channels. All peers are on all of them.
	Channels []string
}

// Profile returns a connection profile: JSON that fabric-network, and the samples of Fabric, take. It needs no discovery.
func Profile(cfg ProfileConfig) ([]byte, error) {
	p := profile{
		Name: "ccpeer-" + cfg.MSPID, Version: "1.0.0",
		Client:        profileClient{Organization: cfg.MSPID, Connection: profileConnection{Timeout: profileTimeout{Peer: map[string]string{"endorser": "300"}}}},
		Organizations: map[string]*profileOrganization{}, Peers: map[string]profileNode{}, Orderers: map[string]profileNode{}, Channels: map[string]profileChannel{},
	}
	all := map[string]profileRoles{}
	for _, e := range cfg.Peers {
		node, err := nodeOf(e)
		if err != nil {
			return nil, errors.WithMessagef(err, "make connection profile of %s", cfg.MSPID)
		}
		o := p.Organizations[e.MSPID]
		if o == nil {
			o = &profileOrganization{MSPID: e.MSPID}
			p.Organizations[e.MSPID] = o
		}
		o.Peers = append(o.Peers, e.Peer)
		p.Peers[e.Peer] = node
		all[e.Peer] = profileRoles{EndorsingPeer: true, ChaincodeQuery: true, LedgerQuery: true, EventSource: true}
		if e.MSPID == cfg.MSPID && len(p.Orderers) == 0 {
			p.Orderers[ordererName] = node
		}
	}
	if len(p.Orderers) == 0 {
		return nil, errors.Errorf("make connection profile: organization %q has no peer", cfg.MSPID)
	}
	p.Authorities = authorities(cfg)
	for _, id := range cfg.Channels {
		p.Channels[id] = profileChannel{Orderers: []string{ordererName}, Peers: all}
	}
	b, err := json.MarshalIndent(p, "", "  ")
	return append(b, '\n'), errors.Wrap(err, "encode connection profile")
}

// authorities are the CAs that applications of Fabric's samples look for. They make a client of theirs before they look whether
// they need it. There is no such server, so an application that does need it fails when it connects to it.
func authorities(cfg ProfileConfig) map[string]profileAuthority {
	domain := exampleDomain(cfg.MSPID)
	if domain == "" {
		return nil
	}
	for _, e := range cfg.Peers {
		if e.MSPID == cfg.MSPID && e.TLSRoot != nil {
			name, _, _ := strings.Cut(domain, ".")
			return map[string]profileAuthority{"ca." + domain: {
				URL: "https://" + net.JoinHostPort(localhost, "7054"), Name: "ca-" + name, TLSCACerts: profilePEMs{[]string{string(e.TLSRoot)}},
			}}
		}
	}
	return nil
}

// ordererName is what profiles call the network's orderer.
const ordererName = "orderer"

// profile is a connection profile, in the form that Fabric's SDKs give it.
type profile struct {
	Name          string                          `json:"name"`
	Version       string                          `json:"version"`
	Client        profileClient                   `json:"client"`
	Organizations map[string]*profileOrganization `json:"organizations"`
	Channels      map[string]profileChannel       `json:"channels,omitempty"`
	Orderers      map[string]profileNode          `json:"orderers"`
	Peers         map[string]profileNode          `json:"peers"`
	Authorities   map[string]profileAuthority     `json:"certificateAuthorities,omitempty"`
}

type profileClient struct {
	Organization string            `json:"organization"`
	Connection   profileConnection `json:"connection"`
}

type profileConnection struct {
	Timeout profileTimeout `json:"timeout"`
}

type profileTimeout struct {
	Peer map[string]string `json:"peer"` // seconds
}

type profileOrganization struct {
	MSPID string   `json:"mspid"`
	Peers []string `json:"peers"`
}

type profileChannel struct {
	Orderers []string                `json:"orderers"`
	Peers    map[string]profileRoles `json:"peers"`
}

type profileRoles struct {
	EndorsingPeer  bool `json:"endorsingPeer"`
	ChaincodeQuery bool `json:"chaincodeQuery"`
	LedgerQuery    bool `json:"ledgerQuery"`
	EventSource    bool `json:"eventSource"`
}

type profileNode struct {
	URL         string            `json:"url"`
	TLSCACerts  *profilePEM       `json:"tlsCACerts,omitempty"`
	GRPCOptions map[string]string `json:"grpcOptions,omitempty"`
}

type profilePEM struct {
	PEM string `json:"pem"`
}

type profileAuthority struct {
	URL        string      `json:"url"`
	Name       string      `json:"caName"`
	TLSCACerts profilePEMs `json:"tlsCACerts"`
}

type profilePEMs struct {
	PEM []string `json:"pem"`
}

// nodeOf describes a peer. The certificate is good for the address, too, but some clients look for names only.
func nodeOf(e Endpoint) (profileNode, error) {
	if _, _, err := net.SplitHostPort(e.Address); err != nil {
		return profileNode{}, errors.Wrapf(err, "address of %s", e.Peer)
	}
	if e.TLSRoot == nil {
		return profileNode{URL: "grpc://" + e.Address}, nil
	}
	return profileNode{
		URL: "grpcs://" + e.Address, TLSCACerts: &profilePEM{string(e.TLSRoot)},
		GRPCOptions: map[string]string{"ssl-target-name-override": localhost, "hostnameOverride": localhost},
	}, nil
}

// ProfileFile is the name of an organization's connection profile, in its folder.
const ProfileFile = "connection.json"

// WriteProfiles writes the connection profile of each organization into its folder, beside its MSP folders. The network's Folder is
// given.
func (r *Running) WriteProfiles(networkFolder string) error {
	written := map[string]bool{}
	for _, e := range r.endpoints {
		if written[e.MSPID] {
			continue
		}
		written[e.MSPID] = true
		b, err := r.Profile(e.MSPID)
		if err != nil {
			return err
		}
		path := filepath.Join(peer.OrganizationFolder(networkFolder, e.MSPID), ProfileFile)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return errors.Wrapf(err, "write connection profile %s", path)
		}
	}
	return nil
}

// Profile returns the connection profile of an organization.
func (r *Running) Profile(mspID string) ([]byte, error) {
	var channels []string
	for _, c := range r.peers[0].peer.Channels() {
		channels = append(channels, c.ID())
	}
	return Profile(ProfileConfig{MSPID: mspID, Peers: r.endpoints, Channels: channels})
}
