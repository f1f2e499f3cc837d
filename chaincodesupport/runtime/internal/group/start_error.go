package group

import (
	"bufio"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

// maxInterpreter is how many bytes of a script are looked at for its interpreter. Linux looks at 256.
const maxInterpreter = 256

// explainStart adds to the system's error why a program that is there couldn't be started, if that can be seen in the file. The
// system says "no such file" of a script, too, whose interpreter is missing, and the script is there for all to see.
func explainStart(path string, err error) error {
	missing := errors.Is(err, os.ErrNotExist)
	if !missing && !errors.Is(err, syscall.ENOEXEC) {
		return err
	}
	line, ok := firstLine(path)
	if !ok {
		return err
	}
	named, script := strings.CutPrefix(line, "#!")
	interpreter, _, _ := strings.Cut(strings.TrimLeft(named, " \t"), " ")
	switch {
	case script && strings.HasSuffix(line, "\r"):
		return errors.WithMessagef(err, "the first line of %s ends in CR LF, as on Windows: convert the script to LF", path)
	case script && missing && interpreter != "":
		if _, stat := os.Stat(interpreter); errors.Is(stat, os.ErrNotExist) {
			return errors.WithMessagef(err, "there is no %q, the interpreter in the first line of %s: install it, or correct the line", interpreter, path)
		}
	case !missing && !script:
		return errors.WithMessagef(err, "%s is neither a program for this machine nor a script that begins with #! and its interpreter", path)
	}
	return err
}

// firstLine returns the first line of a file, without its LF.
func firstLine(path string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(io.LimitReader(f, maxInterpreter)).ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil || err == io.EOF
}
