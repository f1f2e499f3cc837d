package chaincodesupport

// ResultOf makes a Result of a reply.
var ResultOf = resultOf

// Vanished returns the error for a chaincode whose stream ended right behind its launch.
func Vanished(chaincodeID string) error { return &vanishedError{chaincodeID} }
