package chaincodesupport

import "github.com/ccpeer/ccpeer/handler"

// ResultOf makes a Result of a reply.
var ResultOf = resultOf

// Vanished returns the error for a chaincode whose stream ended right behind its launch.
func Vanished(chaincodeID string) error { return &vanishedError{chaincodeID} }

// HandlerConfig is what a handler is made with.
func (cs *ChaincodeSupport) HandlerConfig(chaincodeID string) handler.Config {
	return cs.handlerConfig(chaincodeID)
}
