package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is made of the .proto files here is the code that is committed, and nothing else.
func TestCommitted(t *testing.T) {
	out := t.TempDir()
	if err := run(t.Context(), filepath.Join("..", "..", "proto"), out); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(out, "proto", "*"))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := filepath.Glob(filepath.Join("..", "..", "proto", "*.pb.go"))
	if err != nil || len(made) != len(committed) {
		t.Fatalf("it makes %d files, and %d are committed (%v)", len(made), len(committed), err)
	}
	for _, path := range made {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "..", "proto", filepath.Base(path)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s isn't what is committed (%v): run make generate", filepath.Base(path), err)
		}
	}
}

// What can't be made into code is an error that says where.
func TestRefused(t *testing.T) {
	const syntax = "syntax = \"proto3\";\npackage small;\n"
	const goPackage = "option go_package = \"" + modulePath + "/proto;pb\";\n"
	for _, c := range []struct{ name, text, want string }{
		{"no files", "", "there are no .proto files"},
		{"a type that isn't there", syntax + goPackage + "message M { Absent a = 1; }\n", "small/m.proto:4:13"},
		{"an import that isn't there", syntax + goPackage + "import \"small/absent.proto\";\n", "small/absent.proto"},
		{"no Go package", syntax + "message M {}\n", "go_package"},
		{"another module's package", syntax + "option go_package = \"example.com/x\";\nmessage M {}\n", "example.com/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := t.TempDir()
			if c.text != "" {
				if err := os.Mkdir(filepath.Join(sources, "small"), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(sources, "small", "m.proto"), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out := t.TempDir()
			err := run(t.Context(), sources, out)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if made, _ := filepath.Glob(filepath.Join(out, "*")); len(made) > 0 {
				t.Errorf("it makes %q", made)
			}
		})
	}
}
