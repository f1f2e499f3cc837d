//go:build unix

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
	"go.uber.org/zap"
)

const (
	// maxLogLine is where a line is cut for the log, in bytes, as Docker's log drivers do.
	maxLogLine = 16 << 10
	// maxErrorLine is where a line is cut that an ExitError keeps.
	maxErrorLine = 512
)

// output reads what a chaincode prints, a goroutine for each of its two streams, so that it never blocks on a pipe
// that is full. attach starts the goroutines; close ends them and waits for them.
type output struct {
	log            *zap.Logger
	keep           int
	stdout, stderr *os.File
	// stdoutEnd and stderrEnd are closed when nobody can write any more, or after close.
	stdoutEnd, stderrEnd chan struct{}
	// last belongs to the goroutine that reads stderr, until stderrEnd is closed.
	last []string
}

func newOutput(log *zap.Logger, keep int) *output {
	return &output{log: log, keep: keep, stdoutEnd: make(chan struct{}), stderrEnd: make(chan struct{})}
}

// attach connects cmd's output. The caller calls closeTheirs when cmd has been started, or could not be.
func (o *output) attach(cmd *exec.Cmd) (closeTheirs func(), err error) {
	stdout, stdoutW, err := os.Pipe()
	if err != nil {
		return nil, errors.Wrap(err, "make pipe for standard output")
	}
	stderr, stderrW, err := os.Pipe()
	if err != nil {
		_ = stdout.Close()
		_ = stdoutW.Close()
		return nil, errors.Wrap(err, "make pipe for standard error")
	}
	o.stdout, o.stderr = stdout, stderr
	cmd.Stdout, cmd.Stderr = stdoutW, stderrW
	go func() {
		defer close(o.stdoutEnd)
		eachLine(stdout, o.print)
	}()
	go func() {
		defer close(o.stderrEnd)
		eachLine(stderr, func(line []byte, cut int) {
			o.print(line, cut)
			o.remember(line, cut)
		})
	}()
	return func() {
		_ = stdoutW.Close()
		_ = stderrW.Close()
	}, nil
}

func (o *output) close() {
	_ = o.stdout.Close()
	_ = o.stderr.Close()
	<-o.stdoutEnd
	<-o.stderrEnd
}

// lastLines may be called after close.
func (o *output) lastLines() []string { return o.last }

func (o *output) print(line []byte, cut int) {
	if e := o.log.Check(zap.InfoLevel, ""); e != nil {
		e.Message = printable(line, cut)
		e.Write()
	}
}

func (o *output) remember(line []byte, cut int) {
	if over := len(line) - maxErrorLine; over > 0 {
		line, cut = line[:maxErrorLine], cut+over
	}
	if len(o.last) == o.keep {
		o.last = slices.Delete(o.last, 0, 1)
	}
	o.last = append(o.last, printable(line, cut))
}

// eachLine calls f with each line of r that is not empty, without its end, and with the number of bytes that were
// cut from it because it is longer than maxLogLine. The slice is valid during the call only. It returns when r
// ends, in whatever way.
func eachLine(r io.Reader, f func(line []byte, cut int)) {
	br := bufio.NewReaderSize(r, maxLogLine)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line[:0], trimEnd(part)...)
		cut := 0
		for errors.Is(err, bufio.ErrBufferFull) {
			part, err = br.ReadSlice('\n')
			cut += len(trimEnd(part))
		}
		if len(line) > 0 {
			f(line, cut)
		}
		if err != nil {
			return
		}
	}
}

func trimEnd(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }

// printable is line as text that cannot disturb a terminal or forge a line of a log: what is not printable UTF-8 is
// written as \xNN, byte by byte.
func printable(line []byte, cut int) string {
	var b strings.Builder
	b.Grow(len(line))
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if r == '\t' || unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.Write(line[:n])
		} else {
			for _, c := range line[:n] {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		line = line[n:]
	}
	if cut > 0 {
		fmt.Fprintf(&b, " … (%d bytes cut)", cut)
	}
	return b.String()
}
