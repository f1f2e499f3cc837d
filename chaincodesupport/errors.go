package chaincodesupport

import (
	"fmt"

	"github.com/pkg/errors"
)

// ErrClosed is returned when a ChaincodeSupport has been closed, or is about to be.
var ErrClosed = errors.New("chaincode support is closed")

// ChaincodeError is returned by Execute when a chaincode has answered with ERROR. Shims do so when they can't run a
// transaction at all; some old ones do it for every failure. One that the chaincode's own code reports is usually a Result
// with a status of 400 or more.
type ChaincodeError struct {
	// Text is what the chaincode said. It may be anything.
	Text string
}

// Error has Fabric's text (core/chaincode).
func (e *ChaincodeError) Error() string { return "transaction returned with failure: " + e.Text }

// StatusError is what Result.Err returns for a transaction that must not be committed.
type StatusError struct {
	// Status is 400 or more: 500 by convention, unless the chaincode means something by another one.
	Status int32
	// Message is the chaincode's.
	Message string
}

// Error says with which status and message the chaincode failed.
func (e *StatusError) Error() string {
	return fmt.Sprintf("chaincode failed with status %d: %s", e.Status, e.Message)
}
