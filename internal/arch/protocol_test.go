package arch_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/doctable"
)

// TestDocumentedTexts: each text that docs/protocol.md says chaincode gets is one that a test, or what a test is held to, has.
func TestDocumentedTexts(t *testing.T) {
	const root = "../.."
	var known strings.Builder
	for _, folder := range []string{"handler", "collections", "ledger/kvledger", "chaincodesupport"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/testdata/") {
				return err
			}
			text, err := os.ReadFile(path)
			known.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	placeholder := regexp.MustCompile(`<[^>]*>|…`)
	for _, cell := range doctable.Column(doctable.Read(t, filepath.Join(root, "docs", "protocol.md"), "Answers to requests"), 0) {
		for _, text := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cell, -1) {
			for _, part := range placeholder.Split(text[1], -1) {
				part = strings.Trim(part, "[]/: ")
				if !strings.Contains(known.String(), part) && !strings.Contains(known.String(), strings.ReplaceAll(part, `"`, `\"`)) {
					t.Errorf("docs/protocol.md: no test knows %q of %q", part, text[1])
				}
			}
		}
	}
}
