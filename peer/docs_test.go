package peer_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/doctable"
)

// TestDocumentedErrors holds the guide's table of errors to the types that there are.
func TestDocumentedErrors(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"`*ordering.Error`"}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, object := range file.Scope.Objects {
			if object.Kind == ast.Typ && strings.HasSuffix(name, "Error") {
				want = append(want, "`*peer."+name+"`")
			}
		}
	}
	var got []string
	for _, name := range doctable.Column(doctable.Read(t, "../docs/guide.md", "A network in one process"), 0) {
		if strings.HasPrefix(name, "`*") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the guide has %v, want %v", got, want)
	}
}
