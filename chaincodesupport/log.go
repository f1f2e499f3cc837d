package chaincodesupport

import (
	"runtime/debug"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// guardedLog is a log that survives a panic of its Logger: the line is lost, and nothing else happens.
type guardedLog struct {
	to     *zap.Logger
	limits limits
}

// limits are those of the lines that chaincode can cause as often as it likes, by kind. What is left out of a kind is counted,
// and told by its next line or at the end.
type limits struct {
	streams                                                handler.LogLimiter // what handlers log
	refusals, launches, relaunches, crashes, stops, panics loglimit.Lines
}

func newGuardedLog(to *zap.Logger) *guardedLog { return &guardedLog{to: to} }

func (l *guardedLog) write(level zapcore.Level, text string, fields ...zap.Field) {
	defer func() { _ = recover() }()
	l.to.Log(level, text, fields...)
}

// limited writes a line if its kind may have one now.
func (l *guardedLog) limited(kind *loglimit.Lines, level zapcore.Level, text string, fields ...zap.Field) {
	defer func() { _ = recover() }()
	kind.Log(l.to, level, text, fields...)
}

// flush logs how many lines were left out. It is for the end.
func (l *guardedLog) flush() {
	defer func() { _ = recover() }()
	l.limits.streams.Flush(l.to)
	for _, left := range []struct {
		kind   *loglimit.Lines
		level  zapcore.Level
		reason string
	}{
		{&l.limits.refusals, zap.WarnLevel, refused},
		{&l.limits.launches, zap.InfoLevel, launched},
		{&l.limits.relaunches, zap.InfoLevel, relaunched},
		{&l.limits.crashes, zap.WarnLevel, ended},
		{&l.limits.stops, zap.InfoLevel, ended},
		{&l.limits.panics, zap.ErrorLevel, "panic"},
	} {
		left.kind.Tell(l.to, left.level, left.reason, true)
	}
}

// The texts of the lines that are limited.
const (
	refused    = "refuse chaincode"
	launched   = "launch chaincode"
	relaunched = "chaincode will be launched again"
	ended      = "chaincode ended"
)

// refuse logs what the door refuses.
func (l *guardedLog) refuse(err error) {
	l.limited(&l.limits.refusals, zap.WarnLevel, refused, zap.String("error", err.Error())) // no stack: the other end is to blame
}

// mistake logs what should never happen, whatever chaincode and hooks do.
func (l *guardedLog) mistake(err error) { l.write(zap.ErrorLevel, "internal error", zap.Error(err)) }

// panicked logs a panic. Only the log is told its value.
func (l *guardedLog) panicked(where string, p any, fields ...zap.Field) {
	l.limited(&l.limits.panics, zap.ErrorLevel, "panic in "+where, append(fields, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))...)
}

// errPanic is all that a caller is told of a panic.
var errPanic = errors.New("panic during execution")

// confine turns a panic into an error. Defer it around foreign code that runs in the caller's own goroutine, such as
// Config.Runtimes.
func (l *guardedLog) confine(err *error) {
	if p := recover(); p != nil {
		l.panicked("a hook", p)
		*err = errPanic
	}
}
