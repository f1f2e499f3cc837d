package chaincodesupport

import (
	"context"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// launcher starts chaincode, and looks after it until nothing of it is left.
//
// It knows nothing of streams. A launch succeeds when the chaincode's handler tells instances that READY was sent, however
// the chaincode has connected. It fails when the runtime returns, or when its time is up. Whatever comes first counts.
type launcher struct {
	cfg       *Config
	log       *guardedLog
	life      *lifetime
	instances *instances
	// serve serves the peer's end of a stream that a runtime has made.
	serve func(ctx context.Context, chaincodeID string, s pb.Stream) error
}

// vanishedError says that a chaincode ended after it was launched and before it was used. It has Fabric's text
// (core/chaincode/chaincode_support.go). errors.Is finds handler.ErrStreamTerminated in it.
type vanishedError struct{ chaincodeID string }

func (e *vanishedError) Error() string {
	return "claimed to start chaincode container for " + e.chaincodeID + " but could not find handler"
}

func (e *vanishedError) Is(target error) bool { return target == handler.ErrStreamTerminated }

// handler returns a run of a chaincode with its handler, and launches the chaincode if necessary.
//
// There are three cases. A run that is ready is used. If a run is being launched, all callers that come meanwhile wait for
// it, and they all get its outcome. If a run has ended, it must be gone before the next may start, because two of them would
// register under one name. So the caller waits for that, and then begins anew.
func (l *launcher) handler(ctx context.Context, chaincodeID string) (*instance, *handler.Handler, error) {
	for {
		in, started, err := l.instance(ctx, chaincodeID)
		if err != nil {
			return nil, nil, err
		}
		h, state := in.look()
		switch {
		case state == Ready:
			return in, h, nil
		case started || state == Launching:
			h, err := l.awaitLaunch(ctx, in)
			return in, h, err
		}
		if err := l.awaitExit(ctx, in); err != nil {
			return nil, nil, err
		}
	}
}

// awaitLaunch returns the handler of an instance that is being launched.
func (l *launcher) awaitLaunch(ctx context.Context, in *instance) (*handler.Handler, error) {
	select {
	case <-in.launched:
	case <-ctx.Done():
		return nil, errors.Wrapf(ctx.Err(), "wait for the launch of chaincode %s", in.chaincodeID)
	}
	if err := in.ended().launch; err != nil {
		return nil, err
	}
	if h, state := in.look(); state == Ready {
		return h, nil
	}
	// It was ready, and has ended at once. A chaincode that always does so must not be launched for ever.
	return nil, &vanishedError{chaincodeID: in.chaincodeID}
}

// awaitExit returns when nothing of an instance is left, so that the next one may start. It waits no longer than a launch
// may take. To its caller, this is a part of the launch.
func (l *launcher) awaitExit(ctx context.Context, in *instance) error {
	deadline := time.NewTimer(l.cfg.StartupTimeout)
	defer deadline.Stop()
	select {
	case <-in.exited:
		return nil
	case <-ctx.Done():
		return errors.Wrapf(ctx.Err(), "wait for the end of chaincode %s", in.chaincodeID)
	case <-deadline.C:
		return errors.Errorf("timeout expired while starting chaincode %s for transaction: an earlier run of it has not ended", in.chaincodeID)
	}
}

// instance returns the run of a chaincode that is under way, or starts one.
//
// Config.Runtimes are foreign code, so they are asked without a lock. Somebody else may have started the chaincode
// meanwhile, so getOrLaunch looks again.
func (l *launcher) instance(ctx context.Context, chaincodeID string) (in *instance, started bool, err error) {
	if in := l.instances.get(chaincodeID); in != nil {
		return in, false, nil
	}
	if err := handler.CheckChaincodeID(chaincodeID); err != nil {
		return nil, false, err
	}
	rt, err := l.cfg.Runtimes.Runtime(ctx, chaincodeID)
	if err != nil && !errors.Is(err, ErrNoRuntime) {
		return nil, false, errors.Wrapf(err, "find the runtime of chaincode %s", chaincodeID)
	}
	err = nil // somebody else may have launched it meanwhile
	in = l.instances.getOrLaunch(chaincodeID, func() *instance {
		if rt == nil {
			hint := ""
			if namesAreIDs(l.cfg.Definitions) && !strings.Contains(chaincodeID, ":") {
				hint = " (without Config.Definitions, a chaincode's name is its chaincode ID)"
			}
			err = errors.Errorf("chaincode %s is not running, and this peer has no runtime for it%s", chaincodeID, hint)
			return nil
		}
		started = true
		in := l.launch(chaincodeID, rt)
		if in == nil {
			err = ErrClosed
		}
		return in
	})
	return in, started, err
}

// launch starts a run of a chaincode, or returns nil if the ChaincodeSupport is closed. The caller holds instances.mu. So
// nobody finds the instance before it is complete, and it can't end before it can be found.
func (l *launcher) launch(chaincodeID string, rt runtime.Runtime) *instance {
	ctx, stop := context.WithCancelCause(context.Background())
	in := newInstance(chaincodeID, stop, l.instances.tell)
	if !l.life.launch(func() { l.instances.started(in) }, func() { l.run(ctx, in, rt) }) {
		stop(ErrClosed)
		return nil
	}
	return in
}

// run runs a chaincode until nothing of it is left. This is the one place that ends an instance's life, because Run returns
// however the chaincode has ended.
func (l *launcher) run(ctx context.Context, in *instance, rt runtime.Runtime) {
	start := time.Now()
	deadline := time.AfterFunc(l.cfg.StartupTimeout, func() {
		err := errors.Errorf("timeout expired while starting chaincode %s for transaction", in.chaincodeID)
		l.instances.check(in.end(startupExpired, err))
	})
	defer deadline.Stop()
	err := errors.New("the runtime's goroutine exited") // replaced if Run returns
	defer func() {
		l.instances.check(in.end(runtimeReturned, launchError(err)))
		l.logEnd(in, time.Since(start), err)
		l.retire(in, rt, err)
	}()
	l.log.limited(&l.log.limits.launches, zap.InfoLevel, launched, zap.String("chaincode", in.chaincodeID))
	err = l.runGuarded(ctx, in.chaincodeID, rt)
}

// logEnd logs that nothing of a run is left. Unless somebody has asked for the end, that is a warning.
func (l *launcher) logEnd(in *instance, after time.Duration, cause error) {
	kind, level := &l.log.limits.crashes, zap.WarnLevel
	if in.ended().asked {
		kind, level = &l.log.limits.stops, zap.InfoLevel
	}
	l.log.limited(kind, level, ended, zap.String("chaincode", in.chaincodeID), zap.Duration("after", after), zap.NamedError("cause", cause))
}

// retire notes that nothing of a run is left, and makes a restart due if that is the policy. Both happen under one lock.
// Otherwise a Stop in between would find neither an instance to stop nor a restart to cancel.
func (l *launcher) retire(in *instance, rt runtime.Runtime, cause error) {
	cause = in.explain(cause)
	policy := l.restartPolicy(in.chaincodeID)
	var pause time.Duration
	l.instances.remove(in, cause, func() time.Duration {
		pause = l.instances.ended(in, cause, policy, func(due *restart) { l.relaunch(in.chaincodeID, rt, due) })
		return pause
	})
	if pause > 0 {
		l.log.limited(&l.log.limits.relaunches, zap.InfoLevel, relaunched, zap.String("chaincode", in.chaincodeID), zap.Duration("after", pause))
	}
}

// launchError returns why a launch failed, given the error of its runtime. The texts are Fabric's: one for a chaincode that
// couldn't be started at all, and one for a chaincode that ended before it was ready.
func launchError(err error) error {
	var notStarted *runtime.StartError
	switch {
	case err == nil:
		return errors.New("chaincode registration failed: chaincode ended")
	case errors.As(err, &notStarted):
		return err
	}
	return errors.WithMessage(err, "chaincode registration failed")
}

// runGuarded runs the runtime. It turns a panic into an error, so that one chaincode's runtime can't end the peer.
func (l *launcher) runGuarded(ctx context.Context, chaincodeID string, rt runtime.Runtime) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.panicked("a runtime", p, zap.String("chaincode", chaincodeID))
			err = errors.New("the runtime panicked")
		}
	}()
	return rt.Run(ctx, chaincodeID, func(ctx context.Context, s pb.Stream) error {
		return l.serve(ctx, chaincodeID, s)
	})
}
