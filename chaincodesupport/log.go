package chaincodesupport

import (
	"runtime/debug"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// guardedLog is a log whose Logger may panic: the line is then lost, and nothing else happens.
type guardedLog struct{ to *zap.Logger }

func (l guardedLog) write(level zapcore.Level, text string, fields ...zap.Field) {
	defer func() { _ = recover() }()
	l.to.Log(level, text, fields...)
}

func (l guardedLog) info(text string, fields ...zap.Field) { l.write(zap.InfoLevel, text, fields...) }

// mistake is for what should never happen, whatever chaincode and hooks do.
func (l guardedLog) mistake(err error) { l.write(zap.ErrorLevel, "internal error", zap.Error(err)) }

// panicked is for what recovers from a panic, whose value only the log is told.
func (l guardedLog) panicked(where string, p any, fields ...zap.Field) {
	l.write(zap.ErrorLevel, "panic in "+where, append(fields, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))...)
}

// errPanic is what a caller is told of a panic.
var errPanic = errors.New("panic during execution")

// confine, deferred, makes a panic of what the caller's own goroutine has called, such as Config.Runtimes, an error.
func (l guardedLog) confine(err *error) {
	if p := recover(); p != nil {
		l.panicked("a hook", p)
		*err = errPanic
	}
}
