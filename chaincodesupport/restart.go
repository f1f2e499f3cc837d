package chaincodesupport

import (
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// RestartPolicy says what happens to a chaincode that has ended, or failed to start, without having been asked to. With the
// zero value nothing happens until somebody calls it again. A call doesn't wait for a restart that is due. It launches the
// chaincode at once.
type RestartPolicy struct {
	// OnFailure has the chaincode launched again.
	OnFailure bool
	// Pause is how long to wait before that. It doubles each time, up to MaxPause. A chaincode that was ready for as long as
	// MaxPause begins with Pause again. 0: Pause is 1 s, and MaxPause 1 min.
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

// maxRecords is how many launched chaincodes a peer remembers. There must be a limit: if Config.Runtimes have something for
// every name, chaincode can have others launched under any number of names.
const maxRecords = 10_000

// record is what is kept of a chaincode from one run of it to the next.
//
// A chaincode that crashes at once would be launched again without end, as fast as the machine can. So each restart waits
// longer than the one before, and the record remembers how long. It also has what List shows. It never keeps a caller
// waiting: a launch that somebody asks for doesn't look at it. instances.mu protects it.
type record struct {
	restarts  int
	lastError error
	failed    bool          // the last run ended without being asked to: the next one is a restart
	since     time.Time     // when the last run ended
	pause     time.Duration // how long the last restart waited
	due       *restart      // the restart that it waits for, or nil
}

// restart is one restart that is due. A timer that has fired can't be stopped any more. It must then find that its restart
// was cancelled, so each restart has an identity of its own.
type restart struct{ timer *time.Timer }

func (rec *record) state() State {
	if rec.due != nil {
		return Restarting
	}
	return Stopped
}

// cancel cancels a restart that is due, and reports whether there was one.
func (rec *record) cancel() bool {
	if rec.due == nil {
		return false
	}
	rec.due.timer.Stop()
	rec.due = nil
	return true
}

// next returns how long to wait before the next launch. ready is how long the last run was ready.
func (rec *record) next(p RestartPolicy, ready time.Duration) time.Duration {
	if rec.pause == 0 || ready >= p.MaxPause {
		return p.Pause
	}
	return min(2*rec.pause, p.MaxPause)
}

// cancelRestart cancels the restart of a chaincode, if one is due. The caller holds mu.
func (r *instances) cancelRestart(chaincodeID string) {
	if rec := r.records[chaincodeID]; rec != nil && rec.cancel() {
		r.tell(LifecycleEvent{
			ChaincodeID: chaincodeID, State: Stopped, At: time.Now(), Restarts: rec.restarts, Cause: rec.lastError, Asked: true,
		})
	}
}

// started adds a run that this peer has started, and notes it in the chaincode's record. It is a restart if the last run
// ended without being asked to, even if somebody has asked for this one. The caller holds mu.
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

// forgetSome makes room for one more record. It forgets the record of a chaincode that isn't running.
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

// ended notes the end of a run, and makes a restart due if that is the policy. It returns how long that will be, or 0. When
// the time has come, launch is called in a goroutine of its own. The caller holds mu.
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

// relaunch launches a chaincode whose restart has become due, unless the restart was cancelled. That happens by a call that
// didn't wait for it, or by somebody who stopped the chaincode. If the launch fails, that makes the next restart due. There
// is nobody to tell here.
func (l *launcher) relaunch(chaincodeID string, rt runtime.Runtime, due *restart) {
	l.instances.getOrLaunch(chaincodeID, func() *instance {
		if rec := l.instances.records[chaincodeID]; rec == nil || rec.due != due {
			return nil
		}
		return l.launch(chaincodeID, rt)
	})
}
