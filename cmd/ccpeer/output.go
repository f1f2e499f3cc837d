package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

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
	_, _ = fmt.Fprintln(w, "Error:", err)
	lines := outputOf(err)
	if len(lines) > 0 {
		_, _ = fmt.Fprintln(w, "The chaincode printed:")
	}
	for _, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
			line = strconv.Quote(line)
		}
		_, _ = fmt.Fprintln(w, "    "+line)
	}
}
