// Package runtime says what starts, stops and watches a chaincode. Its folders are the implementations: inproc runs
// chaincode in the peer's own process, process runs it as a process of its own, dial connects to chaincode that is a server,
// server starts such a server and dials it, builder runs chaincode packages as a process or as a server, and attach waits for
// chaincode that a user starts.
package runtime

import (
	"context"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrStreamEnded is the cause (context.Cause) of the end of Run's context when the chaincode's stream has ended and nobody
// had asked for that. The chaincode is probably ending as well. A Runtime may give it a moment to do so by itself, to learn
// why.
var ErrStreamEnded = errors.New("chaincode stream terminated")

// StreamHandler serves the peer's end of a chaincode's stream, until the stream ends. The chaincode must register under the
// chaincode ID that the runtime was run with. A Runtime that makes the stream itself, in process or by dialling, calls the
// StreamHandler. A Runtime whose chaincode dials the peer does not.
type StreamHandler func(ctx context.Context, s pb.Stream) error

// Runtime runs a chaincode. One value may run any number of chaincodes at once.
type Runtime interface {
	// Run starts the chaincode, and returns when nothing of it is left running. It has ended then, or could not be started,
	// or was stopped because ctx ended. The error says why it ended. After ctx has ended, nil says that it stopped in good
	// order. If ctx had ended before Run was called, the error is a *StartError. runtimetest.Run checks all of this.
	Run(ctx context.Context, chaincodeID string, handle StreamHandler) error
}

// StartError is returned by Run if it could not start the chaincode at all.
type StartError struct{ Cause error }

// Error has Fabric's text (core/chaincode).
func (e *StartError) Error() string { return "error starting container: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Cause }
