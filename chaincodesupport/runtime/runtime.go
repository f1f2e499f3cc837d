// Package runtime says what starts, stops and watches a chaincode. Its folders are the implementations: inproc runs
// chaincode in the peer's own process, process runs it as a process of its own, dial connects to chaincode that is a
// server, builder runs chaincode packages as one of the two, and attach waits for chaincode that a user starts.
package runtime

import (
	"context"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrStreamEnded is the cause, as context.Cause has it, of the end of Run's context when the chaincode's stream has ended
// and nobody had asked for that. The chaincode is likely to be ending as well, and a Runtime may give it a moment to do so
// by itself, to learn why.
var ErrStreamEnded = errors.New("chaincode stream terminated")

// StreamHandler serves the peer's end of a chaincode's stream, until the stream ends. The chaincode that talks on
// it must register under the chaincode ID that the runtime was run with. A Runtime that obtains the stream itself
// (in process, or by dialling) calls it; one whose chaincode dials the peer does not.
type StreamHandler func(ctx context.Context, s pb.Stream) error

// Runtime runs a chaincode. One value may run any number of chaincodes at once.
type Runtime interface {
	// Run starts the chaincode chaincodeID and returns when nothing of it is left running: it has ended, could not
	// be started, or was stopped because ctx ended. The error says why it ended; after ctx has ended, nil says that
	// it stopped in good order. A ctx that has ended before is a *StartError. runtimetest.Run checks all of this.
	Run(ctx context.Context, chaincodeID string, handle StreamHandler) error
}

// StartError is what Run returns when it could not start the chaincode at all.
type StartError struct{ Cause error }

// Error has Fabric's text (core/chaincode).
func (e *StartError) Error() string { return "error starting container: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Cause }
