package ordering

import (
	"fmt"
)

// Status is how an ordering service answers. The numbers are Fabric's (common.Status).
type Status int32

// The statuses that refusals have.
const (
	BadRequest         Status = 400 // the envelope is wrong
	Forbidden          Status = 403 // its creator may not broadcast it
	NotFound           Status = 404 // there is no such channel
	ServiceUnavailable Status = 503 // it may be tried again, perhaps elsewhere
)

// String returns Fabric's name of the status.
func (s Status) String() string {
	switch s {
	case BadRequest:
		return "BAD_REQUEST"
	case Forbidden:
		return "FORBIDDEN"
	case NotFound:
		return "NOT_FOUND"
	case ServiceUnavailable:
		return "SERVICE_UNAVAILABLE"
	}
	return fmt.Sprint(int32(s))
}

// Error is a refusal.
type Error struct {
	// Status is what kind it is.
	Status Status
	// Text says why, in Fabric's words.
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Status.String() + ": " + e.Text }

func refuse(s Status, text string) error { return &Error{s, text} }

// unknownChannel is how Fabric refuses an envelope of a channel that it doesn't have. The text is from when an envelope could make a
// channel, and Fabric 3 has another one.
func unknownChannel() error {
	return refuse(BadRequest, "channel creation request not allowed because the orderer system channel is not defined")
}

// stopped is how Fabric refuses what it doesn't order any more.
func stopped() error { return refuse(ServiceUnavailable, "chain is stopped") }
