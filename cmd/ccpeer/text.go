package main

import (
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// maxShown is how many characters of a text are shown.
const maxShown = 60

// shown is a text that a chaincode or a client chose, fit for a terminal: quoted where that is needed, and cut.
func shown(s string) string {
	q := quote(s)
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return q
	}
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}

// quote is shown, always in quotes.
func quote(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return strconv.Quote(string(r[:maxShown])) + "…"
	}
	return strconv.Quote(s)
}

func words(args [][]byte) string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = shown(string(a))
	}
	return strings.Join(all, " ")
}

// txIDs matches transaction IDs in a text.
var txIDs = regexp.MustCompile(`([0-9a-f]{8})[0-9a-f]{56}`)

// abbreviate shortens the transaction IDs in a text to what logs show of them.
func abbreviate(s string) string { return txIDs.ReplaceAllString(s, "$1…") }

// count is a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// style colours what is printed, if it is true.
type style bool

// styleFor returns the style for a writer: colours are for terminals only, and not if NO_COLOR is set.
func styleFor(w io.Writer) style {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return style(err == nil && info.Mode()&os.ModeCharDevice != 0)
}

func (s style) bold(text string) string  { return s.wrap("1", text) }
func (s style) dim(text string) string   { return s.wrap("2", text) }
func (s style) red(text string) string   { return s.wrap("31", text) }
func (s style) green(text string) string { return s.wrap("32", text) }

func (s style) wrap(code, text string) string {
	if !s {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
