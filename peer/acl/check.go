package acl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Channel is what must be known of a channel. It is only read.
type Channel struct {
	// Verifier knows the members of the channel's organizations. Required.
	Verifier *identity.Verifier
	// Policy returns the policy that has a path, such as /Channel/Application/Readers, or nil if there is none. Required.
	Policy func(path string) policies.Policy
	// ACLs are what the channel's configuration says of resources: the policies' names or paths by the resources' names. A name
	// without a slash is that of a policy of /Channel/Application. Resources that it doesn't name have Fabric's defaults.
	ACLs map[string]string
}

// Config says what a checker stands on.
type Config struct {
	// Channel returns a channel of the peer, or nil if the peer isn't on it. Required.
	Channel func(channelID string) *Channel
	// Local knows the members of the peer's own organization. They may use some resources that belong to no channel. Nil: nobody
	// may.
	Local *identity.Verifier
	// Logger gets what is refused. Nil: nothing is logged.
	Logger *zap.Logger
}

// New returns a Checker that goes by the policies of channels, as Fabric's peers do.
func New(cfg Config) (Checker, error) {
	if cfg.Channel == nil {
		return nil, errors.New("make ACL checker: Config.Channel is required")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	return &checker{cfg}, nil
}

type checker struct{ cfg Config }

// Check implements Checker.
func (c *checker) Check(_ context.Context, r Request) error {
	err := c.check(r)
	if err != nil {
		c.cfg.Logger.Debug("access is denied", zap.String("resource", r.Resource), zap.String("channel", r.ChannelID), zap.Error(err))
	}
	return err
}

func (c *checker) check(r Request) error {
	if policy, ok := ofPeers[r.Resource]; ok {
		return c.checkLocal(policy, r)
	}
	var ch *Channel
	if r.ChannelID != "" {
		ch = c.cfg.Channel(r.ChannelID)
	}
	if path := ch.override(r.Resource); path != "" {
		return checkOverride(ch, path, r)
	}
	path := ofChannels[r.Resource]
	switch {
	case path == "":
		return errors.Errorf("Unmapped policy for %s", r.Resource)
	case r.ChannelID == "":
		return errors.New("Invalid channel ID name during check policy on signed data. Name must be different from nil.") //nolint:revive // Fabric's text
	case ch == nil:
		return errors.Errorf("Failed to get policy manager for channel [%s]", r.ChannelID)
	}
	if cause := ch.evaluate(path, r); cause != nil {
		return errors.Errorf("Failed evaluating policy on signed data during check policy on channel [%s] with policy [%s]: [%s]", r.ChannelID, path, cause)
	}
	return nil
}

// override returns the path of the policy that a channel's configuration has for a resource, or "".
func (ch *Channel) override(resource string) string {
	if ch == nil || ch.ACLs[resource] == "" {
		return ""
	}
	if ref := ch.ACLs[resource]; strings.HasPrefix(ref, "/") {
		return ref
	}
	return "/Channel/Application/" + ch.ACLs[resource]
}

// checkOverride has the texts of Fabric's other provider (core/aclmgmt, resourceprovider.go).
func checkOverride(ch *Channel, path string, r Request) error {
	cause := errors.Errorf("policy %s not found", path)
	if ch.Policy(path) != nil {
		cause = ch.evaluate(path, r)
	}
	if cause == nil {
		return nil
	}
	return errors.Errorf("failed evaluating policy on signed data during check policy [%s]: [%s]", path, cause)
}

// evaluate returns nil if a request fulfils a policy. Somebody who is no member, or who hasn't signed, counts as nobody.
func (ch *Channel) evaluate(path string, r Request) error {
	policy := ch.Policy(path)
	if policy == nil {
		return errors.Errorf("no such policy: '%s'", strings.TrimPrefix(path, "/Channel/"))
	}
	var signers []*identity.Verified
	if who, err := ch.Verifier.Identify(r.Identity); err == nil && who.Verify(r.Data, r.Signature) == nil {
		signers = append(signers, who)
	}
	err := policy.Evaluate(signers)
	if _, ok := policy.(policies.Signature); ok && err != nil { // ours says more, and Fabric's clients know the other
		return errors.New("signature set did not satisfy policy")
	}
	return err
}

// checkLocal checks a policy of the peer's own organization (Fabric: core/policy, CheckPolicyNoChannel).
func (c *checker) checkLocal(policy string, r Request) error {
	who, err := c.identifyLocal(r.Identity)
	if err != nil {
		return errors.Errorf("Failed deserializing proposal creator during channelless check policy with policy [%s]: [%s]", policy, err)
	}
	role, text := identity.Member, "The identity is not a [MEMBER] under this MSP [%s]"
	if policy == admins {
		role, text = identity.Admin, "The identity is not an admin under this MSP [%[1]s]: The identity does not contain OU [ADMIN], MSP: [%[1]s]"
	}
	if !who.Satisfies(identity.Principal{MSPID: who.MSPID(), Role: role}) {
		return errors.Errorf("Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [%s]: [%s]", policy, fmt.Sprintf(text, who.MSPID()))
	}
	if who.Verify(r.Data, r.Signature) != nil {
		return errors.New("The signature is invalid")
	}
	return nil
}

func (c *checker) identifyLocal(creator []byte) (*identity.Verified, error) {
	if c.cfg.Local == nil {
		return nil, errors.New("the peer has no organization")
	}
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.Wrap(err, "could not deserialize a SerializedIdentity")
	}
	if own := c.cfg.Local.MSPIDs(); !slices.Contains(own, id.GetMspid()) {
		return nil, errors.Errorf("expected MSP ID %s, received %s", strings.Join(own, ", "), id.GetMspid())
	}
	return c.cfg.Local.Identify(creator)
}
