//go:build linux

// The long form ("CCPEER_LONG") has the attacks at their real size.
package hostile_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/internal/copying"
	"github.com/ccpeer/ccpeer/internal/hostile"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

func TestMain(m *testing.M) {
	hostile.Main(m, func(string) (store.Store, error) { return copying.Store{Store: memory.New()}, nil })
}

// F94: whatever a chaincode asks for, the peer's memory stays bounded, and others are served.
func TestHostileChaincode(t *testing.T) { hostile.Run(t) }

// F90: strangers can't make the peer keep what they send.
func TestStrangersStall(t *testing.T) { hostile.RunStrangers(t) }
