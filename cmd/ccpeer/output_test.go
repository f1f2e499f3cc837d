package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// What a chaincode printed that has ended goes by way of the API to the user's terminal, and stands there in lines.
func TestOutputOfAChaincodeThatHasEnded(t *testing.T) {
	exit := &process.ExitError{Exit: runtime.Exit{Code: 2, Reason: "panic: no contract (main.go:16)",
		LastLines: []string{"panic: no contract", "\t/src/main.go:16 +0x44", "\x1b]0;title\a"}}}
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

// hostile is what a chaincode may say: it sets a terminal's title, moves its cursor, and forges a line.
const hostile = "a\x1b]0;owned\a\x9b2J\u009b2J\u202etxt\r\nstatus:200"

// harmless reports whether a text can do a terminal no harm.
func harmless(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

// What chaincode says reaches the terminal as text, in errors too. It can't forge a line of ours.
func TestHostileText(t *testing.T) {
	var b bytes.Buffer
	printError(&b, errors.New(hostile))
	if s := b.String(); !harmless(s) || strings.Contains(s, "\nstatus:200") {
		t.Errorf("an error is %q", s)
	}
	if got, want := visible(hostile), `a\x1b]0;owned\a\x9b2J\u009b2J\u202etxt\r`+"\nstatus:200"; got != want {
		t.Errorf("it is shown as %q, want %q", got, want)
	}
	if got := visible("grün\tund\nblau 🙂"); got != "grün\tund\nblau 🙂" {
		t.Errorf("a plain text is shown as %q", got)
	}
	for _, text := range []string{hostile, "\U000e0001 tag", "plain"} {
		body, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if err := printJSON(&b, body); err != nil {
			t.Fatal(err)
		}
		var back, want map[string]string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		if !harmless(b.String()) || back["text"] != want["text"] {
			t.Errorf("JSON is %q, of %q", b.String(), text)
		}
	}
}
