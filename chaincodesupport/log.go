package chaincodesupport

import (
	"runtime/debug"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/handler"
)

// guardedLog is a log that survives a panic of its Logger: the line is lost, and nothing else happens.
type guardedLog struct{ to *zap.Logger }

func (l guardedLog) write(level zapcore.Level, text string, fields ...zap.Field) {
	defer func() { _ = recover() }()
	l.to.Log(level, text, fields...)
}

func (l guardedLog) info(text string, fields ...zap.Field) { l.write(zap.InfoLevel, text, fields...) }

// flush logs what the limiter has left out.
func (l guardedLog) flush(limiter *handler.LogLimiter) {
	defer func() { _ = recover() }()
	limiter.Flush(l.to)
}

// mistake logs what should never happen, whatever chaincode and hooks do.
func (l guardedLog) mistake(err error) { l.write(zap.ErrorLevel, "internal error", zap.Error(err)) }

// panicked logs a panic. Only the log is told its value.
func (l guardedLog) panicked(where string, p any, fields ...zap.Field) {
	l.write(zap.ErrorLevel, "panic in "+where, append(fields, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))...)
}

// errPanic is all that a caller is told of a panic.
var errPanic = errors.New("panic during execution")

// confine turns a panic into an error. Defer it around foreign code that runs in the caller's own goroutine, such as
// Config.Runtimes.
func (l guardedLog) confine(err *error) {
	if p := recover(); p != nil {
		l.panicked("a hook", p)
		*err = errPanic
	}
}
