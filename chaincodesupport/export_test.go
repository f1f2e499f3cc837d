package chaincodesupport

import "github.com/ccpeer/ccpeer/internal/limit"

// ResultOf makes a Result of a reply.
var ResultOf = resultOf

// Vanished returns the error for a chaincode whose stream ended right behind its launch.
func Vanished(chaincodeID string) error { return &vanishedError{chaincodeID} }

// LimitRows are the limits that are not handler.Limits.
func LimitRows() []limit.Row { return new(Config).table() }
