package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const (
	// maxValue is how many characters of a value are shown as text, and maxHex how many bytes of one that is none.
	maxValue, maxHex = 200, 32
	timeShown        = "2006-01-02 15:04:05Z"
)

// table prints rows whose cells are separated by tabs.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (t table) row(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) }

func (b *blockJSON) print(w io.Writer, s style) {
	valid := 0
	for _, tx := range b.Transactions {
		if tx.Code == kvledger.Valid.String() {
			valid++
		}
	}
	t := newTable(w)
	t.row("%s", s.bold(fmt.Sprintf("block %d of %s: %s, %d valid", b.Number, b.Channel, count(len(b.Transactions), "transaction"), valid)))
	for _, tx := range b.Transactions {
		t.row("  %d\t%s\t%s\t%s%s", tx.Tx, showID(tx.TxID), showTime(tx.Timestamp), s.code(tx.Code), tx.call())
	}
	if b.Hash != "" {
		t.row("  hash %s", b.Hash)
	}
	if b.Previous != "" {
		t.row("  previous %s", b.Previous)
	}
	_ = t.Flush()
}

// call is who has asked, and for what, in more cells of a table.
func (tx *blockTxJSON) call() string {
	switch {
	case tx.Type != "":
		return "\t" + tx.Type
	case tx.Creator == nil:
		return ""
	}
	function := ""
	if tx.Function != nil {
		function = " " + shown(*tx.Function)
	}
	return "\t" + tx.Creator.String() + "\t" + shown(tx.Chaincode) + function
}

func (tx *txJSON) print(w io.Writer, s style) {
	_, _ = fmt.Fprintln(w, s.bold("transaction "+showID(tx.TxID)))
	_, _ = fmt.Fprintf(w, "  %s, block %d of %s, position %d, %s\n", s.code(tx.Code), tx.Block, tx.Channel, tx.Tx, showTime(tx.Timestamp))
	tx.printEnvelope(w)
	if tx.RWSet == nil {
		_, _ = fmt.Fprintf(w, "  what it committed is no read/write set: %s\n", showBytes(tx.Undecoded))
	}
	for _, ns := range tx.RWSet {
		_, _ = fmt.Fprintln(w, s.bold(shown(ns.Namespace)))
		ns.print(w)
		for _, c := range ns.Collections {
			_, _ = fmt.Fprintln(w, s.bold(shown(ns.Namespace)+", collection "+shown(c.Collection))+", by hashes")
			c.print(w)
		}
	}
}

func (ns *namespaceRWSet) print(w io.Writer) {
	t := newTable(w)
	for _, r := range ns.Reads {
		t.row("  read\t%s", showRead(r))
	}
	for _, r := range ns.Ranges {
		t.row("  range\t%s", showRange(r))
	}
	for _, write := range ns.Writes {
		if write.Delete {
			t.row("  delete\t%s", showKey(write.Key))
		} else {
			t.row("  write\t%s = %s", showKey(write.Key), write.Value)
		}
	}
	for _, m := range ns.Metadata {
		t.row("  metadata\t%s: %s", showKey(m.Key), showMetadata(m.Entries))
	}
	_ = t.Flush()
}

func (c *collectionHashes) print(w io.Writer) {
	t := newTable(w)
	for _, r := range c.Reads {
		t.row("  read\t%s%s", r.KeyHash, r.Version.suffix())
	}
	for _, write := range c.Writes {
		switch {
		case write.Purge:
			t.row("  purge\t%s", write.KeyHash)
		case write.Delete:
			t.row("  delete\t%s", write.KeyHash)
		default:
			t.row("  write\t%s = %s", write.KeyHash, write.ValueHash)
		}
	}
	for _, m := range c.Metadata {
		t.row("  metadata\t%s: %s", m.KeyHash, showMetadata(m.Entries))
	}
	_ = t.Flush()
}

func (k *stateJSON) print(w io.Writer, s style) {
	_, _ = fmt.Fprintln(w, s.bold(fmt.Sprintf("%s of %s on %s", showKey(k.Key), shown(k.Namespace), k.Channel)))
	t := newTable(w)
	if k.Version == nil {
		t.row("  value\t(deleted)")
	} else {
		t.row("  value\t%s", k.Value)
		t.row("  version\tblock %d, transaction %d", k.Version.Block, k.Version.Tx)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Metadata)) {
		t.row("  metadata\t%s=%s", shown(name), k.Metadata[name])
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w, "  history, the newest first")
	for _, m := range k.History {
		value := "(deleted)"
		if !m.Delete {
			value = m.Value.String()
		}
		_, _ = fmt.Fprintf(w, "    %s  %s\n      %s\n", showTime(m.Timestamp), showID(m.TxID), value)
	}
	if k.More {
		_, _ = fmt.Fprintln(w, "    and more: see --history")
	}
}

func showTime(t time.Time) string { return t.UTC().Format(timeShown) }

// showID is a transaction ID, whole, fit for a terminal: whoever makes the transaction chooses it.
func showID(id string) string {
	if isText(id) {
		return id
	}
	return strconv.Quote(id)
}

func showRead(r readJSON) string { return showKey(r.Key) + r.Version.suffix() }

// suffix says which version of a key was read.
func (v *keyVersion) suffix() string {
	if v == nil {
		return " (absent)"
	}
	return fmt.Sprintf(" @%d/%d", v.Block, v.Tx)
}

func showRange(r rangeJSON) string {
	text := bound(r.Start, "the start") + " to " + bound(r.End, "the end")
	if !r.Exhausted {
		text += ", not to its end"
	}
	if r.Merkle != nil {
		return text + fmt.Sprintf(": many, as a Merkle tree of degree %d, level %d: %s", r.Merkle.MaxDegree, r.Merkle.Level, r.Merkle.Hashes)
	}
	reads := make([]string, len(r.Reads))
	for i, read := range r.Reads {
		reads[i] = showRead(read)
	}
	if len(reads) == 0 {
		return text + ": nothing"
	}
	return text + ": " + strings.Join(reads, ", ")
}

func showMetadata(entries map[string]*data) string {
	if len(entries) == 0 {
		return "(deleted)"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, shown(name)+"="+entries[name].String())
	}
	return strings.Join(all, ", ")
}

// Composite keys, as shims make them: a zero byte, and behind each part another one. What begins with some parts ends
// before those and the last character that there is.
const (
	compositeMark = "\x00"
	lastCharacter = string(unicode.MaxRune)
)

// compositeKey is the key that shims make of parts.
func compositeKey(parts []string) string {
	return compositeMark + strings.Join(parts, compositeMark) + compositeMark
}

// showKey is a key fit for a terminal. Composite keys are shown as composite(type, attribute, …).
func showKey(key string) string {
	parts, ok := strings.CutPrefix(key, compositeMark)
	parts, isEnd := strings.CutSuffix(parts, compositeMark+lastCharacter)
	if !isEnd {
		var ends bool
		parts, ends = strings.CutSuffix(parts, compositeMark)
		ok = ok && ends
	}
	if !ok {
		return shown(key)
	}
	var all []string
	for part := range strings.SplitSeq(parts, compositeMark) {
		all = append(all, shown(part))
	}
	if isEnd {
		all = append(all, "…")
	}
	return "composite(" + strings.Join(all, ", ") + ")"
}

// String is what text output shows of bytes.
func (d *data) String() string { return showBytes(d.Base64) }

// showBytes shows a value fit for a terminal: as text if it is one, and cut.
func showBytes(b []byte) string {
	text := string(b)
	if !isText(strings.NewReplacer("\n", "", "\t", "").Replace(text)) {
		if len(b) > maxHex {
			return fmt.Sprintf("0x%s… (%s)", hex.EncodeToString(b[:maxHex]), count(len(b), "byte"))
		}
		return "0x" + hex.EncodeToString(b)
	}
	cut := ""
	if r := []rune(text); len(r) > maxValue {
		text, cut = string(r[:maxValue]), fmt.Sprintf("… (%s)", count(len(b), "byte"))
	}
	if text == "" || strings.ContainsAny(text, "\n\t") {
		text = fmt.Sprintf("%q", text)
	}
	return text + cut
}

// isText says whether a terminal shows s as it is.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// code is a validation code: green is valid.
func (s style) code(code string) string {
	if code == kvledger.Valid.String() {
		return s.green(code)
	}
	return s.red(code)
}
