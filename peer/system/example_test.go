package system_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/system"
)

// A peer gives chaincodesupport what the chaincodes are, and what runs them.
func Example() {
	s, err := system.New(system.Config{
		Channel: func(id string) *system.Channel {
			if id != "mychannel" {
				return nil
			}
			return &system.Channel{Ledger: ledger{}}
		},
		ChannelIDs: func() []string { return []string{"mychannel"} },
		ACL:        acl.CheckerFunc(func(context.Context, acl.Request) error { return nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range system.Names() {
		d, _ := s.Definition(name)
		fmt.Println(name, d.ChaincodeID, d.Version, s.Runtime(d.ChaincodeID) != nil)
	}
	// Output:
	// cscc cscc.syscc syscc true
	// qscc qscc.syscc syscc true
}
