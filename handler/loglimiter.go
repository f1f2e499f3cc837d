package handler

import (
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// LogLimiter limits how many lines are logged about what chaincode does wrong. Each kind of fault has a limit of its own, so
// that a flood of one kind doesn't hide another: ten lines at once, and from then on one a second. What is left out is
// counted, and a later line says how many.
//
// All handlers that share a LogLimiter share the limit. Otherwise a chaincode could write as much as it likes, by opening one
// stream after the other. The zero value is ready for use. It is safe for concurrent use, and must not be copied.
type LogLimiter struct {
	kinds [strangers + 1]loglimit.Lines
}

// strangers is the place in a LogLimiter of the ends of streams that never were accepted.
const strangers = faultKinds

// Flush logs how many lines were left out of each kind, as far as no line has said so yet. Call it at the end.
func (l *LogLimiter) Flush(log *zap.Logger) { l.tell(log, true) }

// tell does what Flush does, for the kinds about which a line may be written now or, if last is set, for every kind.
func (l *LogLimiter) tell(log *zap.Logger, last bool) {
	for kind := range faultKinds + 1 {
		if n := l.kinds[kind].LeftOut(last); n > 0 {
			log.Warn("lines were left out", zap.String("reason", limitedName(kind)), zap.Int64("skipped", n))
		}
	}
}

func limitedName(kind FaultKind) string {
	if kind == strangers {
		return "stream that was never accepted"
	}
	return kind.String()
}
