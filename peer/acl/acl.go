// Package acl decides whether a client may use what a peer offers (Fabric: core/aclmgmt).
//
// What is offered are resources, such as event/Block. Each is guarded by a policy of the channel, such as
// /Channel/Application/Readers. Whoever asks has signed something, and that shows who it is.
package acl

import "context"

// Request is somebody's wish to use a resource. It is only read.
type Request struct {
	// Resource is what is to be used, by the name that Fabric's ACLs have for it, such as gateway/CommitStatus.
	Resource string
	// ChannelID is the channel's ID.
	ChannelID string
	// Data is what was signed. Identity is who has signed it, a marshalled SerializedIdentity.
	Data, Identity, Signature []byte
}

// Checker decides. It is safe for concurrent use.
type Checker interface {
	// Check returns nil if the resource may be used. Otherwise the error has the text that Fabric's clients get.
	Check(ctx context.Context, r Request) error
}

// CheckerFunc is a Checker that is a function.
type CheckerFunc func(ctx context.Context, r Request) error

// Check implements Checker.
func (f CheckerFunc) Check(ctx context.Context, r Request) error { return f(ctx, r) }
