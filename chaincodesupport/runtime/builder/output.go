//go:build unix

package builder

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"go.uber.org/zap"
)

const (
	// maxLine is where a line is cut for the log, in bytes, and maxLastLine where one is cut that an error keeps.
	maxLine     = 16 << 10
	maxLastLine = 512
	// lastLines is how many lines an error keeps.
	lastLines = 20
)

// output reads what a script prints, for as long as somebody can print, so that nobody blocks on a pipe that is full.
type output struct {
	pipes [2]*os.File
	// stdout and stderr are closed when nobody can write any more, or after end.
	stdout, stderr chan struct{}
	// last belongs to the goroutine that reads stderr, until that is closed.
	last []string
}

// startWithOutput starts cmd, and two goroutines that end waits for.
func startWithOutput(cmd *exec.Cmd, log *zap.Logger) (*output, error) {
	o := &output{stdout: make(chan struct{}), stderr: make(chan struct{})}
	var theirs [2]*os.File
	for i := range theirs {
		var err error
		if o.pipes[i], theirs[i], err = os.Pipe(); err != nil {
			closeAll(o.pipes[:i])
			closeAll(theirs[:i])
			return nil, errors.Wrap(err, "make pipe")
		}
	}
	cmd.Stdout, cmd.Stderr = theirs[0], theirs[1]
	err := cmd.Start()
	closeAll(theirs[:])
	if err != nil {
		closeAll(o.pipes[:])
		return nil, err
	}
	toLog := func(line string) {
		if e := log.Check(zap.InfoLevel, ""); e != nil {
			e.Message = printable(line)
			e.Write()
		}
	}
	go func() {
		defer close(o.stdout)
		eachLine(o.pipes[0], toLog)
	}()
	go func() {
		defer close(o.stderr)
		eachLine(o.pipes[1], func(line string) {
			toLog(line)
			o.remember(line)
		})
	}()
	return o, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// end stops reading, and returns the last lines.
func (o *output) end() []string {
	closeAll(o.pipes[:])
	<-o.stdout
	<-o.stderr
	return o.last
}

func (o *output) remember(line string) {
	if len(o.last) == lastLines {
		o.last = append(o.last[:0], o.last[1:]...)
	}
	o.last = append(o.last, printable(line[:min(len(line), maxLastLine)]))
}

// eachLine calls f with each line that is not empty, without its end, and no more than maxLine bytes of it. It returns when
// r ends, in whatever way.
func eachLine(r io.Reader, f func(line string)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		part, err := br.ReadSlice('\n')
		line := strings.TrimRight(string(part), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = br.ReadSlice('\n')
		}
		if line != "" {
			f(line)
		}
		if err != nil {
			return
		}
	}
}

// printable is a line as text that can't disturb a terminal or forge a line of a log.
func printable(line string) string {
	quoted := strconv.Quote(strings.ReplaceAll(line, "\t", " "))
	quoted = quoted[1 : len(quoted)-1]
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted)
}
