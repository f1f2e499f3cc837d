package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const code = `package small

func Grade(points int) string {
	if points >= 50 && points > 0 {
		return "passed"
	}
	calls++
	return "failed"
}

var calls int

type T[K comparable] struct{}

func (*T[K]) Twice(n int) (m int) {
	defer func() {}()
	m = n + n
	return m
}
`

// Each kind of fault is made, in each place, and named by its function and line.
func TestMutants(t *testing.T) {
	mutants, err := mutantsIn("small.go", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	const condition = "small.go Grade: if points >= 50 && points > 0 { => "
	want := []string{
		condition + "if !(points >= 50 && points > 0) {",
		condition + "if points >= 50 || points > 0 {",
		condition + "if points > 50 && points > 0 {",
		condition + "if points >= 51 && points > 0 {",
		condition + "if points >= 50 && points >= 0 {",
		condition + "if points >= 50 && points > 1 {",
		"small.go Grade: calls++ =>",
		"small.go T.Twice: defer func() {}() =>",
		"small.go T.Twice: m = n + n =>",
		"small.go T.Twice: m = n + n => m = n - n",
	}
	var got []string
	for _, m := range mutants {
		got = append(got, m.String())
		if bytes.Count(m.text, []byte("\n")) != strings.Count(code, "\n") {
			t.Errorf("%s has other lines", m)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What the tests notice is killed, and what they don't fails the run until the list says why it is harmless. The sources stay
// as they are.
func TestSurvivors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("go.mod", "module small\n\ngo 1.24\n")
	source := write("small.go", "package small\n\nfunc Grade(points int) bool {\n\treturn points >= 50\n}\n")
	tests := write("small_test.go", "package small\n\nimport \"testing\"\n\nfunc TestGrade(t *testing.T) {\n"+
		"\tif Grade(49) || !Grade(60) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n")
	list := write("survivors.txt", "")
	t.Setenv("GOWORK", "off")
	s := settings{seed: 1, limit: time.Minute, list: list}
	play := func(want string) string {
		t.Helper()
		var out bytes.Buffer
		err := run(t.Context(), &out, s, []string{dir})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("run: %v, want %q", err, want)
		}
		return out.String()
	}
	bound, number := "Grade: return points >= 50 => return points > 50", "Grade: return points >= 50 => return points >= 51"
	if out := play(bound); strings.Count(out, string(survived)) != 2 {
		t.Errorf("the output is %s", out)
	}
	name := filepath.ToSlash(source)
	write("survivors.txt", name+" "+bound+"\n\tnobody has 50\n")
	play("1 survivors are not in " + list)
	write("survivors.txt", name+" "+bound+"\n\tnobody has 50\n"+name+" "+number+"\n\tnobody has 50\n")
	play("")
	write("survivors.txt", "")
	write("small_test.go", strings.Replace(readFile(t, tests), "Grade(60)", "Grade(50)", 1))
	if out := play(""); !strings.Contains(out, "2 of 2 mutants: 2 killed, 0 survived") {
		t.Errorf("the output is %s", out)
	}
	write("small_test.go", strings.Replace(readFile(t, tests), "Grade(50)", "Grade(40)", 1))
	play("without any fault")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A survivor without a reason isn't one that somebody has thought about.
func TestList(t *testing.T) {
	reasons, err := parseList("# comment\n\na.go F: x => y\n\tit is\n\tharmless\nb.go G: x => \n\tthis too\n")
	if err != nil || len(reasons) != 2 || reasons["a.go F: x => y"] != "it is harmless" || reasons["b.go G: x =>"] != "this too" {
		t.Errorf("%q, %v", reasons, err)
	}
	for text, want := range map[string]string{
		"a\nb\n\twhy\n":            `line 2: survivor "a" has no reason`,
		"a\n":                      `survivor "a" has no reason`,
		"\twhy\n":                  `line 1: reason "why" belongs to no survivor`,
		"a\n\twhy\na\n\twhy too\n": `line 3: survivor "a" is there twice`,
	} {
		if _, err := parseList(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestSurvivorsExist holds that each survivor in the list is a mutant of what the tree has now. Otherwise its reason is about
// code that is gone.
func TestSurvivorsExist(t *testing.T) {
	text, err := os.ReadFile("survivors.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := parseList(string(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..") // mutants are named from there
	names := map[string]map[string]bool{}
	for survivor := range reasons {
		file, _, _ := strings.Cut(survivor, " ")
		if names[file] == nil {
			names[file] = map[string]bool{}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("%s is in the list of survivors: %v", survivor, err)
				continue
			}
			mutants, err := mutantsIn(file, source)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range mutants {
				names[file][m.String()] = true
			}
		}
		if !names[file][survivor] {
			t.Errorf("the list of survivors has %q, which no mutant of the code is called: remove it, or name what it has become", survivor)
		}
	}
}
