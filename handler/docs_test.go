package handler_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/doctable"
)

const protocolDoc = "../docs/protocol.md"

// docs/protocol.md lists the messages of the table, with who sends them and what their payload is.
func TestDocumentedMessages(t *testing.T) {
	documented := map[string][]string{}
	for _, row := range doctable.Read(t, protocolDoc, "Messages") {
		documented[row[0]] = row
	}
	for _, m := range handler.TableRows() {
		row := documented[m.Type]
		delete(documented, m.Type)
		if row == nil {
			t.Errorf("%s has no row for %s", protocolDoc, m.Type)
			continue
		}
		if row[1] != m.From {
			t.Errorf("%s: %s is from %s, the table says %s", protocolDoc, m.Type, row[1], m.From)
		}
		payload := regexp.MustCompile(`^[A-Z]\w+`).FindString(row[2])
		if payload != m.Payload {
			t.Errorf("%s: the payload of %s is %q, the table says %q", protocolDoc, m.Type, payload, m.Payload)
		}
	}
	for typ := range documented {
		t.Errorf("%s has a row for %s, the table has none", protocolDoc, typ)
	}
}

// It lists the limits, in the order of the table, with their defaults.
func TestDocumentedLimits(t *testing.T) {
	rows := doctable.Read(t, protocolDoc, "Limits")
	for i, l := range handler.LimitRows() {
		if i >= len(rows) || rows[i][0] != "`"+l.Name+"`" {
			t.Fatalf("%s: limit %d is not %s: the order is that of the code's table", protocolDoc, i+1, l.Name)
		}
		if !strings.HasPrefix(rows[i][1], l.String()) {
			t.Errorf("%s: the default of %s is %q, want %q", protocolDoc, l.Name, rows[i][1], l.String())
		}
	}
}

// Each text that a test knows is documented.
func TestDocumentedTexts(t *testing.T) {
	var patterns []*regexp.Regexp
	placeholder := regexp.MustCompile(`<[^>]*>|…`)
	for _, cell := range doctable.Column(doctable.Read(t, protocolDoc, "Answers to requests"), 0) {
		for _, text := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cell, -1) {
			parts := placeholder.Split(text[1], -1)
			for i := range parts {
				parts[i] = regexp.QuoteMeta(parts[i])
			}
			patterns = append(patterns, regexp.MustCompile("^"+strings.Join(parts, ".*")+"$"))
		}
	}
	for _, test := range texts {
		matches := func(p *regexp.Regexp) bool { return p.MatchString(test.text) }
		if own := test.text == "disk on fire"; !own && !slices.ContainsFunc(patterns, matches) { // which is the ledger's
			t.Errorf("%s says nothing of %q", protocolDoc, test.text)
		}
	}
}
