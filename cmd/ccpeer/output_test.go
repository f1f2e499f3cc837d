package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// What a chaincode printed that has ended goes by way of the API to the user's terminal, and stands there in lines.
func TestOutputOfAChaincodeThatHasEnded(t *testing.T) {
	exit := &process.ExitError{Code: 2, Reason: "panic: no contract (main.go:16)",
		LastLines: []string{"panic: no contract", "\t/src/main.go:16 +0x44", "\x1b]0;title\a"}}
	body, err := json.Marshal(refused(errors.Wrap(exit, "failed to execute transaction t")))
	if err != nil {
		t.Fatal(err)
	}
	err = decodeAnswer(&http.Response{StatusCode: http.StatusInternalServerError, Body: io.NopCloser(bytes.NewReader(body))}, address{}, nil)
	const want = `Error: failed to execute transaction t: container exited with 2: panic: no contract (main.go:16)
The chaincode printed:
    panic: no contract
    	/src/main.go:16 +0x44
    "\x1b]0;title\a"
`
	var got bytes.Buffer
	if printError(&got, err); got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	got.Reset()
	if printError(&got, errors.New("no")); got.String() != "Error: no\n" {
		t.Errorf("got %q", got.String())
	}
}
