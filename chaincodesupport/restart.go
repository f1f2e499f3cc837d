package chaincodesupport

import (
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// RestartPolicy says what happens to a chaincode that has ended, or failed to start, without having been asked to. By the
// zero value nothing happens until it is called again. A call doesn't wait for a restart that is due: it launches at once.
type RestartPolicy struct {
	// OnFailure has the chaincode launched again.
	OnFailure bool
	// Pause is how long to wait before that. It doubles with each time, up to MaxPause. A chaincode that was ready for as
	// long as MaxPause begins with Pause again. 0: 1 s, and 1 min.
	Pause, MaxPause time.Duration
}

func (p RestartPolicy) withDefaults() RestartPolicy {
	if p.Pause <= 0 {
		p.Pause = time.Second
	}
	if p.MaxPause <= 0 {
		p.MaxPause = time.Minute
	}
	p.MaxPause = max(p.MaxPause, p.Pause)
	return p
}

// maxRecords is how many chaincodes a peer remembers that it has launched. If Config.Runtimes have something for every name,
// chaincode can have others launched by names of its choice, without end.
const maxRecords = 10_000

// record is what is kept of a chaincode from one run of it to the next: what List shows, and what the next pause depends on. A
// launch doesn't look at it, for failures are not kept. It is protected by instances.mu.
type record struct {
	restarts  int
	lastError error
	failed    bool          // the last run has ended unasked: the next one is a restart
	since     time.Time     // when the last run ended
	pause     time.Duration // before the last restart that was due
	due       *restart      // that it waits for, or nil
}

// restart is one that is due. Its identity tells it from the next one: a timer that has fired already can't be stopped, and must
// then find that it was cancelled.
type restart struct{ timer *time.Timer }

func (rec *record) state() State {
	if rec.due != nil {
		return Restarting
	}
	return Stopped
}

// cancel makes no restart due, and reports whether one was.
func (rec *record) cancel() bool {
	if rec.due == nil {
		return false
	}
	rec.due.timer.Stop()
	rec.due = nil
	return true
}

// next is how long to wait before the next launch, after a run that was ready for so long.
func (rec *record) next(p RestartPolicy, ready time.Duration) time.Duration {
	if rec.pause == 0 || ready >= p.MaxPause {
		return p.Pause
	}
	return min(2*rec.pause, p.MaxPause)
}

// cancelRestart keeps a chaincode from being launched again by itself. The caller holds mu.
func (r *instances) cancelRestart(chaincodeID string) {
	if rec := r.records[chaincodeID]; rec != nil && rec.cancel() {
		r.tell(LifecycleEvent{
			ChaincodeID: chaincodeID, State: Stopped, At: time.Now(), Restarts: rec.restarts, Cause: rec.lastError, Asked: true,
		})
	}
}

// started notes and adds a run that this peer has started. It is a restart if the last run ended unasked, whoever has asked
// for this one. The caller holds mu.
func (r *instances) started(in *instance) {
	rec := r.records[in.chaincodeID]
	if rec == nil {
		r.forgetSome()
		rec = &record{}
		r.records[in.chaincodeID] = rec
	}
	rec.cancel()
	if rec.failed {
		rec.restarts++
	}
	rec.failed = false
	in.restarts = rec.restarts
	r.add(in)
}

// forgetSome makes room for one more record: it forgets one of a chaincode that isn't running.
func (r *instances) forgetSome() {
	if len(r.records) < maxRecords {
		return
	}
	for id, rec := range r.records {
		if r.running[id] == nil && rec.due == nil {
			delete(r.records, id)
			return
		}
	}
}

// ended notes the end of a run, and makes a restart due if that is the policy. It returns how long that will be, or 0. When it
// is time, launch is called on a goroutine of its own. The caller holds mu.
func (r *instances) ended(in *instance, cause error, p RestartPolicy, launch func(*restart)) time.Duration {
	rec := r.records[in.chaincodeID]
	if rec == nil {
		return 0
	}
	rec.since = time.Now()
	outcome := in.ended()
	if outcome.asked {
		return 0
	}
	if cause == nil {
		cause = outcome.cause
	}
	rec.failed, rec.lastError = true, cause
	if !p.OnFailure {
		return 0
	}
	p = p.withDefaults()
	rec.pause = rec.next(p, outcome.wasReady)
	due := new(restart)
	due.timer = time.AfterFunc(rec.pause, func() { launch(due) })
	rec.due = due
	return rec.pause
}

// restartPolicy asks Config.Restart. If that panics, the chaincode is not launched again.
func (l *launcher) restartPolicy(chaincodeID string) (p RestartPolicy) {
	defer func() {
		if v := recover(); v != nil {
			l.log.panicked("Config.Restart", v, zap.String("chaincode", chaincodeID))
			p = RestartPolicy{}
		}
	}()
	return l.cfg.Restart(chaincodeID)
}

// relaunch launches a chaincode whose restart has become due, unless that was cancelled: by a call that didn't wait for it, or
// by somebody who stopped the chaincode. If it fails, that makes the next restart due; there is nobody to tell here.
func (l *launcher) relaunch(chaincodeID string, rt runtime.Runtime, due *restart) {
	l.instances.getOrLaunch(chaincodeID, func() *instance {
		if rec := l.instances.records[chaincodeID]; rec == nil || rec.due != due {
			return nil
		}
		return l.launch(chaincodeID, rt)
	})
}
