package diagram_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/internal/diagram"
)

func TestDraw(t *testing.T) {
	got := diagram.Draw([]diagram.Arrow{
		{To: "created"},
		{From: "created", To: "ready", Label: "REGISTER", By: "from chaincode"},
		{From: "ready", To: "ready", Label: "PUT"},
		{From: "ready", To: "ready", Label: "INIT", By: "from peer"},
		{From: "ready", To: "ready", Label: "GET"},
		{From: "ready", Label: "end"},
	})
	want := "```mermaid\nstateDiagram-v2\n" +
		"    [*] --> created\n" +
		"    created --> ready: REGISTER (from chaincode)\n" +
		"    ready --> ready: PUT, GET\n" +
		"    ready --> ready: INIT (from peer)\n" +
		"    ready --> [*]: end\n" +
		"```\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
