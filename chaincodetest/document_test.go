package chaincodetest_test

import (
	"os"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// The page for people shows what a failing test really says.
func TestDocument(t *testing.T) {
	said, err := os.ReadFile("testdata/failures/writes.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden.Block(t, "../docs/testing-chaincode.md", "failure", "\n```\n"+string(said)+"```\n")
}
