// Package diagram draws tables of transitions as Mermaid state diagrams.
package diagram

import (
	"fmt"
	"strings"
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
