// Package dial runs chaincode that is a server (chaincode as a service). The peer dials it, and the chaincode registers on
// the stream that the peer has opened.
//
//	rt, err := dial.New(dial.Config{Address: "127.0.0.1:9999"})
//
// [ParseConnection] makes a Config of the connection.json that a chaincode package for Fabric has.
//
// This package neither starts nor ends the server. [Runtime.Run] begins with a connection, and ends when the connection has
// ended. The chaincode must register under the chaincode ID that Run was called with.
package dial

import (
	"context"
	"io"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Runtime runs chaincode by dialling its server. It holds nothing but its Config, and is safe for concurrent use.
type Runtime struct{ cfg Config }

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a Runtime, or an error that says which part of cfg is wrong.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.validate(); err != nil {
		return nil, errors.Wrap(err, "configure dial runtime")
	}
	return &Runtime{cfg: cfg.complete()}, nil
}

// ConnectionError says why there is no connection to a chaincode server, or no longer one. It is not a runtime.StartError,
// because to Fabric, too, a server that can't be reached is a registration that failed. A caller of Execute reads "chaincode
// registration failed: connection to <id> failed: <cause>" (core/chaincode).
type ConnectionError struct {
	ChaincodeID string
	// Cause is the operating system's error if the system refused the connection. It is context.DeadlineExceeded if nothing
	// was heard in time, and a *tls.CertificateVerificationError if the server is not the right one. Otherwise it is an
	// error of gRPC, or of the stream's handler.
	Cause error
}

// Error has Fabric's text (core/chaincode).
func (e *ConnectionError) Error() string {
	return "connection to " + e.ChaincodeID + " failed: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Cause }

// Run connects to the server, and calls handle with the stream, in the caller's goroutine. It returns when handle has
// returned, the server has ended its side, and the connection is closed. It calls handle at most once, because
// Config.RetryFor is for connecting only.
//
// The error is a *ConnectionError, or says that the server ended the stream in good order. It is nil if the peer ended the
// stream: if handle returned nil, or ctx ended first.
//
// When ctx ends, handle must return. The server is then told that nothing more will come. It has a second to end its side,
// and is cut off after that.
func (r *Runtime) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	if chaincodeID == "" {
		return &runtime.StartError{Cause: errors.New("the chaincode ID is empty")}
	}
	conn, s, err := r.open(ctx, chaincodeID)
	if err != nil {
		return &ConnectionError{ChaincodeID: chaincodeID, Cause: err}
	}
	defer func() { _ = conn.Close() }() // its only error is that it was closed before
	defer s.end()                       // even if handle panics, which the caller has to deal with
	r.cfg.Logger.Named("extcc").Info("connected to chaincode server",
		zap.String("chaincode", chaincodeID), zap.String("address", r.cfg.Address))
	err = handle(ctx, s)
	switch {
	case err == nil, ctx.Err() != nil && !s.lost.Load():
		return nil
	case errors.Is(err, io.EOF):
		return errors.Errorf("connection to %s terminated", chaincodeID) // Fabric's text
	default:
		return &ConnectionError{ChaincodeID: chaincodeID, Cause: err}
	}
}
