package shim

import pb "github.com/ccpeer/ccpeer/proto"

// Response is what Init and Invoke return: a status, a message for people, and a payload. [OK] is the usual status.
type Response = pb.Response

const (
	// OK is the status of a success. Any status below ERRORTHRESHOLD is one.
	OK = 200
	// ERRORTHRESHOLD is the lowest status of a failure. Such a transaction is not endorsed.
	ERRORTHRESHOLD = 400
	// ERROR is the status of a failure that has no status of its own.
	ERROR = 500
)

// Success returns a response of status OK. The payload is not copied.
func Success(payload []byte) *Response { return &Response{Status: OK, Payload: payload} }

// Error returns a response of status ERROR.
func Error(msg string) *Response { return &Response{Status: ERROR, Message: msg} }
