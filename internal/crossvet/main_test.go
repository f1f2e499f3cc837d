package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty are the files of a module that has a fault of each kind. A file's name says on which systems it is built.
func faulty() map[string]string {
	kill := "import \"syscall\"\n\nvar Kill = syscall.Kill\n"
	return map[string]string{
		"go.mod":              "module small\n\ngo 1.24\n",
		"code/kill.go":        "package code\n\n" + kill,
		"guarded/kill.go":     "//go:build unix\n\npackage guarded\n\n" + kill,
		"guarded/doc.go":      "package guarded\n",
		"user/user_test.go":   "package user_test\n\nimport \"small/code\"\n\nvar _ = code.Kill\n",
		"user/absent_test.go": "package user_test\n\nvar _ = absent\n",
		"user/user.go":        "package user\n",
		"vet/vet_darwin.go":   "package vet\n\nfunc f(x int) {\n\tx = x\n}\n",
		"vet/doc.go":          "package vet\n",
		"docs/page.md":        "# Page\n",
	}
}

// What another system can't build, and what go vet says of its files, is found where it is, and said once.
func TestRun(t *testing.T) {
	t.Setenv("GOWORK", "off")
	dir := t.TempDir()
	for name, text := range faulty() {
		write(t, filepath.Join(dir, name), text)
	}
	for _, c := range []struct {
		name string
		s    settings
		want string // "" if nothing is wrong
		text []string
	}{
		{"Windows", settings{system: "windows", tests: true, patterns: []string{"./..."}}, "2 faults keep it from being built for windows",
			[]string{"code/kill.go:5:20: undefined: syscall.Kill", "user/absent_test.go:3:9: undefined: absent"}},
		{"what a test imports", settings{system: "windows", tests: true, patterns: []string{"./user"}}, "2 faults",
			[]string{"code/kill.go:5:20: undefined: syscall.Kill", "user/absent_test.go:3:9: undefined: absent"}},
		{"without tests", settings{system: "windows", patterns: []string{"./user"}}, "", nil},
		{"a Mac", settings{system: "darwin", patterns: []string{"./..."}}, "go vet finds 1 faults for darwin",
			[]string{"vet/vet_darwin.go:4:2: self-assignment of x"}},
		{"good", settings{system: "windows", patterns: []string{"./guarded", "./vet"}}, "", nil},
		{"a folder that isn't there", settings{system: "darwin", patterns: []string{"./absent"}}, "1 faults", []string{"absent"}},
		{"no packages", settings{system: "darwin", patterns: []string{"./docs/..."}}, "no packages match", nil},
		{"a system that isn't there", settings{system: "multics", patterns: []string{"./..."}}, "load packages", nil},
		{"no system", settings{patterns: []string{"./..."}}, "name an operating system", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			c.s.dir = dir
			err := run(t.Context(), &out, c.s)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			got := strings.ReplaceAll(filepath.ToSlash(out.String()), filepath.ToSlash(dir)+"/", "")
			if strings.Count(got, "\n") != len(c.text) {
				t.Errorf("it says %q, want %q", got, c.text)
			}
			for _, text := range c.text {
				if !strings.Contains(got, text) {
					t.Errorf("it says %q, want %q", got, text)
				}
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The analyzers are those that go vet says it has.
func TestSuite(t *testing.T) {
	text, err := exec.Command("go", "tool", "vet", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "Registered analyzers:")
	list, _, _ = strings.Cut(list, "By default")
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^ {4}(\w+) `).FindAllStringSubmatch(list, -1) {
		want = append(want, m[1])
	}
	if !ok || len(want) < 30 {
		t.Fatalf("go tool vet help says %s", text)
	}
	var got []string
	for _, a := range suite() {
		got = append(got, a.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the analyzers are %q, and those of go vet %q", got, want)
	}
}
