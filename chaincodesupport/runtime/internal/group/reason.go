package group

import (
	"path"
	"regexp"
	"strings"
)

// reason finds in a stream of lines the one that names the error a program died of.
//
// Each language ends its programs with a block of lines of its own form, and the line that says what went wrong is at a
// different place in it: at the top in Go, above the frames in Node, in the last "Caused by" in Java, at the bottom in Python.
// Before the block there may be any number of ordinary lines, and in it any number of frames. So the lines are looked at as
// they come, and no more than a few texts are kept of them. If there are several such blocks, the last one counts: the
// program has survived the others.
//
// A program may also survive the last one: it prints an error that it has dealt with, and ends a day later of something else.
// So lines are counted that come after a block and don't belong to it. After a few, the last one of them is told beside the
// error. After as many as an Exit keeps, the error is forgotten.
type reason struct {
	head   string // the line that names the error
	cause  string // the last line of a chain of causes, as Java prints them
	place  string // where it happened, "main.go:16", if the block says so
	block  block  // what the lines that come belong to
	thrown string // where Node says that what follows was thrown
	framed bool   // the block has come to its frames; before, there may be further lines of its text
	after  int    // how many lines have come after the block
	last   string // the last one of them
}

// block is the form of what a program prints at its end.
type block uint8

const (
	noBlock block = iota
	goBlock
	goFrames
	nodeBlock
	javaBlock
	pythonFrames
)

var (
	nodeError   = regexp.MustCompile(`^(?:Uncaught )?(?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?: `)
	nodePlace   = regexp.MustCompile(`^(?:file://)?(/.*\.[cm]?[jt]s:\d+)$`)
	javaFrame   = regexp.MustCompile(`^\s+at (.*)\(([\w$]+\.(?:java|kt|scala):\d+)\)`)
	pythonFrame = regexp.MustCompile(`^\s+File "([^"]+)", line (\d+)`)
	// partOf is what may follow the line that names an error, beside what is indented. Go's has functions and goroutines.
	partOf  = regexp.MustCompile(`^(?:goroutine \d+ |created by |Caused by: |\[signal |Node\.js v|\}$|\S+\(.*\)$)`)
	frame   = regexp.MustCompile(`^(?:\s+at |\t.*\.go:\d+|goroutine \d+ )`)
	goFrame = regexp.MustCompile(`^\t(.*\.go:\d+)(?: \+0x[0-9a-f]+)?$`)
	ofJVM   = regexp.MustCompile(`^(?:java|javax|jdk|sun)\.`)
)

// look takes the next line.
func (r *reason) look(line string) {
	switch {
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
		*r = reason{head: line, block: goBlock}
	case strings.HasPrefix(line, "Exception in thread "):
		*r = reason{head: line, block: javaBlock}
	case strings.HasPrefix(line, "Traceback (most recent call last):"):
		*r = reason{head: r.head, cause: r.cause, block: pythonFrames}
	case r.block != javaBlock && r.block != pythonFrames && nodeError.MatchString(line):
		*r = reason{head: line, place: r.thrown, block: nodeBlock}
	default:
		if at := nodePlace.FindStringSubmatch(line); at != nil {
			r.thrown = path.Base(at[1])
		}
		r.count(line)
		r.follow(line)
	}
}

// count notes a line that begins no block, if it doesn't belong to one either.
func (r *reason) count(line string) {
	indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
	switch {
	case r.head == "":
	case !r.framed && frame.MatchString(line):
		r.framed, r.after, r.last = true, 0, "" // what came between is the rest of the error's text
	case !indented && !partOf.MatchString(line):
		r.after, r.last = r.after+1, line
	}
}

// forget forgets an error after which more than most lines have come.
func (r *reason) forget(most int) {
	if r.after > most {
		*r = reason{thrown: r.thrown}
	}
}

// follow takes a line that begins no block.
func (r *reason) follow(line string) {
	switch r.block {
	case goBlock:
		if strings.HasPrefix(line, "goroutine ") {
			r.block = goFrames
		}
	case goFrames:
		// The first frames may be of the run-time system, which has raised the panic for the program.
		if f := goFrame.FindStringSubmatch(line); f != nil && !strings.Contains(f[1], "/src/runtime/") {
			r.place, r.block = path.Base(f[1]), noBlock
		}
	case javaBlock:
		if strings.HasPrefix(line, "Caused by: ") && r.after == 0 {
			r.cause, r.place, r.framed = line, "", false
		} else if f := javaFrame.FindStringSubmatch(line); f != nil && r.place == "" && !ofJVM.MatchString(f[1]) {
			r.place = f[2]
		}
	case pythonFrames:
		if f := pythonFrame.FindStringSubmatch(line); f != nil {
			r.place = path.Base(f[1]) + ":" + f[2]
		} else if line != "" && line[0] != ' ' && line[0] != '\t' {
			*r = reason{head: line, place: r.place, framed: true}
		}
	}
}

// String returns what went wrong and where, in one line, and what was printed last since. It is "" if nothing says so.
func (r *reason) String() string {
	if r.head == "" {
		return ""
	}
	text := r.head
	if r.cause != "" {
		text += " | " + r.cause
	}
	if r.place != "" {
		text += " (" + r.place + ")"
	}
	if r.after > 0 {
		text += " | " + r.last
	}
	return text
}

// isPreamble reports whether a line is what a JVM says of its options before it starts. It is the same at each start.
func isPreamble(line string) bool {
	return strings.HasPrefix(strings.TrimPrefix(line, "NOTE: "), "Picked up ") && strings.Contains(line, "OPTIONS")
}
