//go:build unix

package group_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// What programs of each language have printed when they died. Whatever surrounds it, the line that names the error is found.
func TestReason(t *testing.T) {
	for file, want := range map[string]string{
		"go-map.txt":       "panic: assignment to entry in nil map (main.go:11)",
		"go-nil.txt":       "panic: runtime error: invalid memory address or nil pointer dereference (main.go:14)",
		"go-deadlock.txt":  "fatal error: all goroutines are asleep - deadlock! (main.go:26)",
		"node-unbuilt.txt": "Error: Cannot find module './dist/index.js'",
		"node-syntax.txt":  "SyntaxError: Unexpected token ';' (index.js:1)",
		"java.txt":         `Exception in thread "main" java.lang.RuntimeException: start chaincode | Caused by: java.lang.IllegalStateException: no database (T.java:1)`,
		"python.txt":       "ValueError: no asset (<stdin>:1)",
	} {
		t.Run(file, func(t *testing.T) {
			exit := printed(t, `cat "$1" >&2; exit 1`, filepath.Join("testdata", file))
			if exit.Reason != want {
				t.Errorf("reason is\n%s\nwant\n%s", exit.Reason, want)
			}
			if text := group.Summary(&exit.Exit); text != ": "+want {
				t.Errorf("summary is %q", text)
			}
			exit.Signal = syscall.SIGSEGV
			if text := group.Summary(&exit.Exit); !strings.Contains(text, " | ") {
				t.Errorf("summary of one that died of a fault is %q", text)
			}
			for _, exit.Signal = range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
				if text := group.Summary(&exit.Exit); text != "" || len(exit.LastLines) == 0 {
					t.Errorf("summary of one that was killed is %q, of %q", text, exit.LastLines)
				}
			}
		})
	}
}

// Hundreds of frames, log lines before them, and errors that the program has survived don't hide the one that it died of.
func TestReasonAmongManyLines(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"many frames":   {`echo panic: no contract; echo; echo "goroutine 1 [running]:"; echo "panic(0x1)"; printf '\t/go/src/runtime/panic.go:792 +0x1\n'; for i in $(seq 100); do echo "main.f(0x1)"; printf "\t/src/f.go:$i +0x1\n"; done`, "panic: no contract (f.go:1)"},
		"many notes":    {`for i in $(seq 100); do echo note $i; done; cat testdata/go-nil.txt`, "panic: runtime error: invalid memory address or nil pointer dereference (main.go:14)"},
		"survived":      {`echo "Error: no asset a1"; cat testdata/go-map.txt`, "panic: assignment to entry in nil map (main.go:11)"},
		"ordinary":      {`echo "an Error: of no kind"; echo "no panic: here"; echo Traceback`, ""},
		"nothing":       {`true`, ""},
		"not finished":  {`echo "Traceback (most recent call last):"; echo '  File "a.py", line 3, in f'`, ""},
		"other streams": {`cat testdata/python.txt; echo bye >&2`, "ValueError: no asset (<stdin>:1)"},
	} {
		t.Run(name, func(t *testing.T) {
			if exit := printed(t, test.script); exit.Reason != test.want {
				t.Errorf("reason is %q, want %q", exit.Reason, test.want)
			}
		})
	}
}

// F163: a program prints an error that it has dealt with. What it dies of later is told beside it, or alone when other lines
// have come since.
func TestReasonSurvived(t *testing.T) {
	const (
		handled = `echo "Error: no asset a1" >&2; echo "    at get (/src/a.js:1:1)" >&2; `
		thread  = `echo 'Exception in thread "w" java.lang.Error: no asset' >&2; printf '\tat T.w(T.java:2)\n' >&2; `
		logged  = `echo "WARN java.lang.Error: late" >&2; printf '\tat U.f(U.java:9)\nCaused by: java.lang.Error: slow\n\tat U.g(U.java:8)\n' >&2; `
		expired = `echo licence expired >&2; exit 3`
	)
	lines := func(n int) string { return fmt.Sprintf(`for i in $(seq %d); do echo line $i >&2; done; `, n) }
	for name, test := range map[string]struct{ script, reason, summary string }{
		"soon after":     {handled + expired, "Error: no asset a1 | licence expired", ""},
		"later":          {handled + lines(19) + expired, "Error: no asset a1 | licence expired", ""},
		"much later":     {handled + lines(20) + expired, "", "line 20 | licence expired"},
		"and again":      {handled + lines(30) + handled + expired, "Error: no asset a1 | licence expired", ""},
		"without frames": {`echo "Error: no asset a1" >&2; ` + expired, "Error: no asset a1 | licence expired", ""},
		"a long text":    {`printf 'Error: no asset a1\nnor a2\nnor a3\n    at get (/src/a.js:1:1)\n' >&2; exit 3`, "Error: no asset a1", ""},
		"in a thread":    {thread + logged + logged, `Exception in thread "w" java.lang.Error: no asset (T.java:2) | WARN java.lang.Error: late`, ""},
		"in a JVM":       {thread + lines(20) + logged, "", "\tat U.g(U.java:8)"},
		"goroutines": {`printf 'panic: a\nb\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/m.go:7 +0x1\n' >&2; for i in $(seq 99); do ` +
			`printf "\ngoroutine $i [select]:\nmain.(*T[...]).f({0x1, 0x2})\n\t/src/m.go:9 +0x1\ncreated by main.g in goroutine 1\n\t/src/m.go:8 +0x1\n" >&2; done`, "panic: a (m.go:7)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			exit := printed(t, test.script)
			if exit.Reason != test.reason {
				t.Errorf("reason is %q, want %q", exit.Reason, test.reason)
			}
			if text := group.Summary(&exit.Exit); !strings.HasSuffix(text, test.reason+test.summary) {
				t.Errorf("summary is %q", text)
			}
		})
	}
}

// What is kept begins with the first lines, and says how many are missing. A JVM's preamble isn't among them.
func TestFirstLines(t *testing.T) {
	exit := printed(t, `echo Picked up JAVA_TOOL_OPTIONS: -Xmx64m; for i in $(seq 40); do echo line $i; done`)
	got := exit.Output()
	want := []string{"line 1", "line 2", "line 3", "line 4", "line 5", "… (15 lines left out)", "line 21"}
	if len(got) != 26 || !slices.Equal(got[:7], want) || got[25] != "line 40" {
		t.Errorf("%d lines: %q", len(got), got)
	}
	one := runtime.Exit{FirstLines: []string{"a"}, Omitted: 1, LastLines: []string{"b"}}
	if got := one.Output(); !slices.Equal(got, []string{"a", "… (1 lines left out)", "b"}) {
		t.Errorf("with one line left out: %q", got)
	}
	exit = printed(t, `for i in $(seq 20); do echo line $i; done`)
	if exit.Omitted != 0 || len(exit.FirstLines) != 0 || len(exit.LastLines) != 20 {
		t.Errorf("of 20 lines, %q and %q are kept", exit.FirstLines, exit.LastLines)
	}
}

// A program that can't be started although it is there: the error says what is wrong with it, and what to do.
func TestWhyNotStarted(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct{ text, want string }{
		"CRLF":            {"#!/bin/sh\r\necho hello\r\n", "the first line of {} ends in CR LF, as on Windows: convert the script to LF: fork/exec {}: no such file or directory"},
		"no interpreter":  {"#!/nowhere/python3 -u\n", `there is no "/nowhere/python3", the interpreter in the first line of {}: install it, or correct the line: fork/exec {}: no such file or directory`},
		"no #!":           {"echo hello\n", "{} is neither a program for this machine nor a script that begins with #! and its interpreter: fork/exec {}: exec format error"},
		"another machine": {"\x7fELF\x02\x01\x01 garbage", "{} is neither a program for this machine nor a script that begins with #! and its interpreter: fork/exec {}: exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, "#", ""))
			if err := os.WriteFile(file, []byte(test.text), 0o700); err != nil {
				t.Fatal(err)
			}
			_, err := group.Start(group.Config{Path: file, Log: zap.NewNop()})
			if want := strings.ReplaceAll(test.want, "{}", file); err == nil || err.Error() != want {
				t.Errorf("Start returned\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// printed runs a script, and returns how it ended.
func printed(t *testing.T, script string, args ...string) *group.Exit {
	t.Helper()
	p, _ := start(t, group.Config{Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...), Env: os.Environ()})
	return wait(t.Context(), t, p)
}
