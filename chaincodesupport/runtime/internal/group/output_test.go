package group_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// FuzzEachLine checks that no byte of a chaincode's output is lost, invented or printed raw, however it arrives.
func FuzzEachLine(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"))
	f.Add([]byte("\xff\x00\x1b[0m\n"))
	f.Add(append(bytes.Repeat([]byte("x"), 16<<10), "\nnext"...))
	f.Add(append(bytes.Repeat([]byte("é"), 20<<10), "\nnext"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		var want []int
		for line := range bytes.Lines(in) {
			if n := len(bytes.TrimRight(line, "\n")); n > 0 {
				want = append(want, n)
			}
		}
		in = bytes.ReplaceAll(in, []byte("\r"), []byte("."))
		var got []int
		group.EachLine(iotest.HalfReader(bytes.NewReader(in)), func(line []byte, cut, _ int) {
			got = append(got, len(line)+cut)
			text := group.Printable(line, cut)
			bad := func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }
			if !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
				t.Errorf("%q becomes %q", line, text)
			}
		})
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("line %d has %d bytes, want %d", i, got[i], want[i])
			}
		}
	})
}

func BenchmarkEachLine(b *testing.B) {
	text := []byte(strings.Repeat("2026-01-01 12:00:00.000 UTC [asset] Invoke -> INFO 001 created asset a1\n", 1000))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		group.EachLine(bytes.NewReader(text), func(line []byte, cut, _ int) { group.Printable(line, cut) })
	}
}
