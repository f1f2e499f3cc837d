// Package diagram draws tables of transitions as Mermaid state diagrams, and holds marked blocks of documents to what
// the code says.
package diagram

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/transcript"
)

// Arrow leads from one state to another. An empty state is outside: where a life begins, or where it is over.
type Arrow struct {
	From, To string
	// Label says what leads there.
	Label string
	// By says who makes it happen, in brackets behind the label. It may be empty.
	By string
}

// Draw returns a Mermaid state diagram, in a code block. The arrows stand in the order in which they are given. Those that
// differ in nothing but the label are one, where the first of them stands.
func Draw(arrows []Arrow) string {
	var drawn []Arrow
	labels := map[Arrow][]string{}
	for _, a := range arrows {
		label := a.Label
		a.Label = ""
		if _, ok := labels[a]; !ok {
			drawn = append(drawn, a)
		}
		labels[a] = append(labels[a], label)
	}
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, a := range drawn {
		text := strings.Join(labels[a], ", ")
		if a.By != "" {
			text += " (" + a.By + ")"
		}
		if text != "" {
			text = ": " + text
		}
		fmt.Fprintf(&b, "    %s --> %s%s\n", outside(a.From), outside(a.To), text)
	}
	b.WriteString("```\n")
	return b.String()
}

func outside(state string) string {
	if state == "" {
		return "[*]"
	}
	return state
}

// Check fails the test unless a block of a file is what it should be. With the flag -update it writes the block instead. A
// block stands between two lines, of which the first may say where it is from:
//
//	<!-- NAME: made from … -->
//	<!-- end of NAME -->
func Check(t testing.TB, file, name, want string) {
	t.Helper()
	page, err := os.ReadFile(file) //nolint:gosec // the test's
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.QuoteMeta(name)
	block := regexp.MustCompile(`(?s)(<!-- ` + quoted + `: [^\n]* -->\n)(.*?)(<!-- end of ` + quoted + ` -->\n)`)
	at := block.FindSubmatchIndex(page)
	if at == nil {
		t.Fatalf("%s has no block <!-- %s: … --> … <!-- end of %s -->", file, name, name)
	}
	begin, end := at[4], at[5]
	got := string(page[begin:end])
	switch {
	case got == want:
	case transcript.Update():
		text := string(page[:begin]) + want + string(page[end:])
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: block %q is not what the code says; -update writes it. Got\n%s\nwant\n%s", file, name, got, want)
	}
}
