package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// refusedError is the peer's own error, as its client gets it.
type refusedError struct{ refusal refusal }

func (e *refusedError) Error() string { return e.refusal.Error }

// Output returns what a chaincode printed that has ended.
func (e *refusedError) Output() []string { return e.refusal.Output }

// outputOf returns the lines of a chaincode that an error is about, if it is about one that has ended.
func outputOf(err error) []string {
	var e interface{ Output() []string }
	if errors.As(err, &e) {
		return e.Output()
	}
	return nil
}

// printError prints an error. What the chaincode printed stands below it, line by line, because a stack is hard to read in any
// other form.
func printError(w io.Writer, err error) {
	// A line of a chaincode's own begins with spaces, so that it can't pass for one of ours.
	_, _ = fmt.Fprintln(w, "Error:", strings.ReplaceAll(visible(err.Error()), "\n", "\n    "))
	lines := outputOf(err)
	if len(lines) > 0 {
		_, _ = fmt.Fprintln(w, "The chaincode printed:")
	}
	printOutput(w, lines)
}

// printOutput prints lines of a chaincode, indented, so that none can pass for one of ours.
func printOutput(w io.Writer, lines []string) {
	for _, line := range lines {
		if strings.Contains(line, "\n") || strings.ContainsFunc(line, unprintable) {
			line = strconv.Quote(line)
		}
		_, _ = fmt.Fprintln(w, "    "+line)
	}
}

// visible is a text of several lines that a terminal can't take for commands. What isn't printable stands there in Go's
// notation, byte by byte where it is no UTF-8. Line ends and tabs stay.
func visible(s string) string {
	if !strings.ContainsFunc(s, unprintable) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unprintable(r) || r == utf8.RuneError && n == 1 {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }

// visibleJSON is JSON with what isn't printable escaped. encoding/json escapes only a part of it, and all of it is inside
// strings, or is space.
func visibleJSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	b := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		switch {
		case !unprintable(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}
