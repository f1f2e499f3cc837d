package handler

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// LogLimiter limits how many lines are logged that chaincode can cause as often as it likes: about what it does wrong, and about
// streams that begin and end. Each kind of fault has a limit of its own, and so do registrations and ends. So a flood of one
// kind doesn't hide another: ten lines at once, and from then on one a second. What is left out is counted, and a later line
// says how many.
//
// All handlers that share a LogLimiter share the limit. Otherwise a chaincode could write as much as it likes, by opening one
// stream after the other. The zero value is ready for use. It is safe for concurrent use, and must not be copied.
type LogLimiter struct {
	kinds [limitedKinds]loglimit.Lines
}

// The kinds of lines in a LogLimiter that are about no fault. They come after those that are.
const (
	strangers     = faultKinds + iota // the ends of streams that never were accepted
	registrations                     // streams that were accepted
	ends                              // the ends of these
	limitedKinds
)

// Flush logs how many lines were left out of each kind, as far as no line has said so yet. Call it at the end.
func (l *LogLimiter) Flush(log *zap.Logger) { l.tell(log, true) }

// tell does what Flush does, for the kinds about which a line may be written now or, if last is set, for every kind.
func (l *LogLimiter) tell(log *zap.Logger, last bool) {
	for kind := range limitedKinds {
		level, reason := described(kind)
		l.kinds[kind].Tell(log, level, reason, last)
	}
}

// described returns the level of the lines of a kind, and its name.
func described(kind FaultKind) (zapcore.Level, string) {
	switch kind {
	case strangers:
		return zap.InfoLevel, "stream that was never accepted"
	case registrations:
		return zap.InfoLevel, "chaincode registered"
	case ends:
		return zap.InfoLevel, "chaincode stream ended"
	default:
		return zap.WarnLevel, kind.String()
	}
}
