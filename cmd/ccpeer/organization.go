package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer"
)

// maxPeers is how many peers an organization may have: each has chaincode of its own.
const maxPeers = 16

// mspIDs matches the IDs of MSPs that make names of hosts and files.
var mspIDs = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$`)

// parseOrganizations reads organizations, each MSPID or MSPID:PEERS.
func parseOrganizations(texts []string) ([]peer.Organization, error) {
	var all []peer.Organization
	there := map[string]bool{}
	for _, s := range texts {
		id, number, said := strings.Cut(s, ":")
		o := peer.Organization{MSPID: id, Peers: 1}
		if said {
			o.Peers, _ = strconv.Atoi(number) // 0 isn't any number of peers either
		}
		switch {
		case !mspIDs.MatchString(id), o.Peers < 1, o.Peers > maxPeers:
			return nil, errors.Errorf("%s: want MSPID or MSPID:PEERS, such as Org2MSP or Org2MSP:2, with 1 to %d peers", quote(s), maxPeers)
		case there[id]:
			return nil, errors.Errorf("%s: there are two of that name", quote(s))
		}
		there[id] = true
		all = append(all, o)
	}
	return all, nil
}

// members are the organizations, each with the number of its peers.
func (c *nodeConfig) members() []peer.Organization {
	if len(c.organizations) == 0 {
		return []peer.Organization{{MSPID: mspID, Peers: 1}}
	}
	return c.organizations
}

// peerName is the name of an organization's peer, as a peer.Network gives it.
func peerName(i int, mspID string) string { return fmt.Sprintf("peer%d.%s", i, mspID) }

// checkPeers says what can't be had with several peers.
func (c *nodeConfig) checkPeers() error {
	peers := 0
	for _, o := range c.members() {
		peers += o.Peers
	}
	if peers == 1 {
		return nil
	}
	if c.dev {
		return errors.New("chaincode that connects by itself in dev mode belongs to one peer, and there are several: leave dev out, or have one organization with one peer")
	}
	for name, e := range c.chaincodes {
		if e.attach != "" {
			return errors.Errorf("chaincode %s is started by hand, and so for one peer, and there are several: give it another runtime, or have one organization with one peer", quote(name))
		}
		if e.server != nil && e.process != nil {
			return errors.Errorf("chaincode %s is a server that the peer starts, at one address, and there are several peers: start it yourself, and leave command out, or give it another runtime", quote(name))
		}
	}
	return nil
}
