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
	return identity.NewVerifier(*p.cfg.Organization)
}

// ruleOf are the rules of a channel's policies, as in Fabric's test network (configtx.yaml).
var ruleOf = map[string]policies.Rule{
	readers: policies.AnyRule, writers: policies.AnyRule, admins: policies.MajorityRule, endorsement: policies.MajorityRule, "LifecycleEndorsement": policies.MajorityRule,
}

// policyAt returns the policy that has a path, such as /Channel/Application/Readers, or nil.
func (c *Channel) policyAt(path string) policies.Policy {
	name, ok := strings.CutPrefix(path, "/Channel/Application/")
	if !ok {
		return nil
	}
	rule := ruleOf[name]
	if name == "LifecycleEndorsement" {
		name = endorsement
	}
	p, err := c.Policy(rule, name)
	if err != nil || rule == "" {
		return nil
	}
	return p
}
