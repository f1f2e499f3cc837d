package peer

import (
	"strings"

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
		return &acl.Channel{Verifier: c.verifier, Policy: c.policyAt}
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

// policyAt returns the policy that has a path, such as /Channel/Application/Readers, or nil. It is the one that the configuration of
// a channel of these organizations has, which doesn't say who orders.
func (c *Channel) policyAt(path string) policies.Policy {
	if !strings.HasPrefix(path, "/Channel/Application/") {
		return nil
	}
	if p, ok := c.policies.Load(path); ok {
		return p.(policies.Policy)
	}
	p, err := describe(c.cfg.Organizations).Policy(path)
	if err != nil {
		return nil
	}
	c.policies.Store(path, p)
	return p
}
