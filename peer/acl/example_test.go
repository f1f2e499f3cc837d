package acl_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/peer/acl"
)

// A peer that is on no channel yet refuses everybody.
func ExampleNew() {
	checker, err := acl.New(acl.Config{Channel: func(string) *acl.Channel { return nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(checker.Check(context.Background(), acl.Request{Resource: "event/Block", ChannelID: "mychannel"}))
	// Output: Failed to get policy manager for channel [mychannel]
}
