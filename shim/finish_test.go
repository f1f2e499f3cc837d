package shim_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/shim"
)

// A request that begins just when its transaction finishes has either the slot, and is waited for, or is refused. It isn't
// made when the transaction's outcome is settled.
func TestRequestRacesFinish(t *testing.T) {
	rounds := 100_000
	if testing.Short() {
		rounds = 20_000
	}
	for i := range rounds {
		if shim.RaceFinish() {
			t.Fatalf("in round %d, a transaction that had finished made a request", i)
		}
	}
}
