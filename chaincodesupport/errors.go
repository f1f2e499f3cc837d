package chaincodesupport

import (
	"fmt"

	"github.com/pkg/errors"
)

// ErrClosed is returned when a ChaincodeSupport has been closed, or is being closed.
var ErrClosed = errors.New("chaincode support is closed")

// ChaincodeError is returned by Execute when a chaincode has answered with ERROR. Shims do so when they can't run a
// transaction at all. Some old ones do it for every failure. A failure that the chaincode's own code reports is usually a
// Result with a status of 400 or more.
type ChaincodeError struct {
	// Text is what the chaincode said. It may be anything.
	Text string
}

// Error has Fabric's text (core/chaincode).
func (e *ChaincodeError) Error() string { return "transaction returned with failure: " + e.Text }

// StatusError is returned by Result.Err for a transaction that must not be committed.
type StatusError struct {
	// Status is 400 or more. By convention it is 500, unless the chaincode gives other ones a meaning.
	Status int32
	// Message is the chaincode's own text.
	Message string
}

// Error says with which status and message the chaincode failed.
func (e *StatusError) Error() string {
	return fmt.Sprintf("chaincode failed with status %d: %s", e.Status, e.Message)
}
