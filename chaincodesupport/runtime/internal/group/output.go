package group

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// maxLogLine is where a line is cut for the log, in bytes, as Docker's log drivers do.
	maxLogLine = 16 << 10
	// maxErrorLine is where a line is cut that an Exit keeps.
	maxErrorLine = 512
	// firstLines is how many of the first lines of each stream an Exit keeps, beside the last ones.
	firstLines = 5
)

// output reads what a program prints, a goroutine for each of its two streams, so that nobody blocks on a pipe that is
// full. close ends the goroutines and waits for them.
type output struct {
	log   *zap.Logger
	level zapcore.Level // at which lines are logged
	keep  int
	pipes [2]*os.File
	// ends are closed when nobody can write any more, or after close.
	ends [2]chan struct{}

	logging sync.Mutex // held while a line is logged, so that lines keep their order
	flood   flood

	mu      sync.Mutex // protects the fields below
	printed [2]int     // how many lines there were
	first   []string   // of both, those that are not among the last
	last    []lastLine // of both, oldest first
	reasons [2]reason  // of each
}

// lastLine is one of the last lines of a stream.
type lastLine struct {
	stream int
	number int // from 0
	text   string
}

// newOutput starts to read. theirs are the program's ends of the pipes, which the caller closes when it has been started, or
// could not be.
func newOutput(cfg *Config) (o *output, theirs []*os.File, err error) {
	o = &output{log: cfg.Log, level: cfg.Level, keep: cfg.LastLines}
	o.flood.room, o.flood.tell = cmp.Or(cfg.Room, new(Room)), o.printLeftOut
	theirs = make([]*os.File, len(o.pipes))
	for i := range o.pipes {
		if o.pipes[i], theirs[i], err = os.Pipe(); err != nil {
			closeAll(o.pipes[:i])
			closeAll(theirs[:i])
			return nil, nil, errors.Wrap(err, "make pipe for output")
		}
	}
	for i := range o.pipes {
		o.ends[i] = make(chan struct{})
		go o.read(i)
	}
	return o, theirs, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func (o *output) read(stream int) {
	defer close(o.ends[stream])
	eachLine(o.pipes[stream], func(line []byte, cut, size int) {
		line = withoutColours(line)
		o.print(line, cut, size)
		o.remember(stream, line, cut)
	})
}

func (o *output) close() {
	closeAll(o.pipes[:])
	for _, end := range o.ends {
		<-end
	}
	o.flood.end()
}

// tell puts into an Exit what is kept of both streams, in the order in which it was read.
func (o *output) tell(e *Exit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.FirstLines = o.first
	e.LastLines = make([]string, len(o.last))
	for i, l := range o.last {
		e.LastLines[i] = l.text
	}
	e.Omitted = o.printed[0] + o.printed[1] - len(o.first) - len(o.last)
	e.Reason = o.reasons[1].String()
	if e.Reason == "" { // errors belong on the second stream, but not everybody knows
		e.Reason = o.reasons[0].String()
	}
}

// print logs a line, unless the program prints too much. size is how many bytes it was, with its end.
func (o *output) print(line []byte, cut, size int) {
	if !o.log.Core().Enabled(o.level) {
		return
	}
	o.logging.Lock()
	defer o.logging.Unlock()
	if !o.flood.admit(len(line), size) {
		return
	}
	if e := o.log.Check(o.level, ""); e != nil {
		e.Message = printable(line, cut)
		e.Write()
	}
}

// printLeftOut says how much is not in the log.
func (o *output) printLeftOut(lines, bytes int) {
	o.log.Warn("output was left out", zap.Int("lines", lines), zap.Int("bytes", bytes), zap.Int("allowedPerSecond", outputRate))
}

// remember keeps a line. If there are too many last lines of the same stream, the oldest one goes, unless it is one of the
// first.
func (o *output) remember(stream int, line []byte, cut int) {
	if over := len(line) - maxErrorLine; over > 0 {
		line, cut = line[:maxErrorLine], cut+over
	}
	text := printable(line, cut)
	if isPreamble(text) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reasons[stream].look(text)
	o.reasons[stream].forget(o.keep)
	o.last = append(o.last, lastLine{stream, o.printed[stream], text})
	o.printed[stream]++
	oldest, kept := 0, 0
	for i, l := range slices.Backward(o.last) {
		if l.stream == stream {
			oldest, kept = i, kept+1
		}
	}
	if kept > o.keep {
		if l := o.last[oldest]; l.number < firstLines {
			o.first = append(o.first, l.text)
		}
		o.last = slices.Delete(o.last, oldest, oldest+1)
	}
}

// eachLine calls f with each line of r that is not empty, without its end, and with the number of bytes that were
// cut from it because it is longer than maxLogLine. size is how many bytes it was, with its end. The slice is valid during the
// call only. It returns when r ends, in whatever way.
func eachLine(r io.Reader, f func(line []byte, cut, size int)) {
	br := bufio.NewReaderSize(r, maxLogLine)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line[:0], trimEnd(part)...)
		cut, size := 0, len(part)
		for errors.Is(err, bufio.ErrBufferFull) {
			part, err = br.ReadSlice('\n')
			cut, size = cut+len(trimEnd(part)), size+len(part)
		}
		if len(line) > 0 {
			f(line, cut, size)
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
