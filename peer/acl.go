package peer

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/policies"
)

// ACL decides who may use what the peer offers, by the policies of its channels, and of its own organization.
func (p *Peer) ACL() acl.Checker { return p.acl }

// newACL makes it.
func (p *Peer) newACL() (acl.Checker, error) {
	cfg := acl.Config{Local: p.local, Logger: p.cfg.Logger, Channel: func(id string) *acl.Channel {
		c := p.Channel(id)
		if c == nil {
			return nil
		}
		return &acl.Channel{Verifier: c.verifier, Policy: c.policyAt, ACLs: aclsOf(c)}
	}}
	return acl.New(cfg)
}

// newLocal makes who knows the members of the peer's organization, or nil if nobody is one.
func (p *Peer) newLocal() (*identity.Verifier, error) {
	if p.cfg.Organization == nil {
		return nil, nil
	}
	return p.cfg.Signatures.NewVerifier(*p.cfg.Organization)
}

// policyAt returns the policy that has a path in the channel's configuration, such as /Channel/Application/Readers, or nil. A channel
// without a configuration has those of its members that it would have in one.
func (c *Channel) policyAt(path string) policies.Policy {
	last, err := c.Config(c.running)
	if err == nil {
		return last.policyAt(path)
	}
	if !errors.Is(err, ErrNoConfig) || !strings.HasPrefix(path, "/Channel/Application/") {
		return nil
	}
	p, err := describe(c.cfg.Organizations).Policy(path)
	if err != nil {
		return nil
	}
	return p
}

// aclsOf returns what a channel's configuration says of resources.
func aclsOf(c *Channel) map[string]string {
	last, err := c.Config(c.running)
	if err != nil {
		return nil
	}
	return last.says.Application.ACLs
}

// writersOf returns who may write to a channel now: those whom its configuration names, or nobody if that can't be read.
func writersOf(c *Channel) policies.Policy {
	last, err := c.Config(c.running)
	if errors.Is(err, ErrNoConfig) {
		return c.writers
	}
	if err == nil {
		if p := last.policyAt("/Channel/Application/" + writers); p != nil {
			return p
		}
	}
	return policies.OutOf(1) // of no rules
}
