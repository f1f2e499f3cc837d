package chaincodesupport

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Launch makes sure that a chaincode is running and registered. Callers that come while it is being launched wait for
// the same launch, and all get its outcome; a failure is not kept, the next call tries again. ctx limits the caller's
// waiting only.
func (cs *ChaincodeSupport) Launch(ctx context.Context, chaincodeID string) (err error) {
	if err := cs.begin(); err != nil {
		return err
	}
	defer cs.executing.Done()
	defer cs.confine(&err)
	_, err = cs.handler(ctx, chaincodeID)
	return err
}

// Stop ends a chaincode and waits until nothing of it is left running, or ctx ends. Its transactions in flight end
// with handler.ErrStreamTerminated, and it isn't launched again before it is called. Stopping one that isn't running is no
// error.
func (cs *ChaincodeSupport) Stop(ctx context.Context, chaincodeID string) error {
	in := cs.instances.stop(chaincodeID, errors.Errorf("chaincode %s was stopped", chaincodeID))
	if in == nil {
		return nil
	}
	select {
	case <-in.exited:
		return nil
	case <-ctx.Done():
		return errors.Wrapf(ctx.Err(), "stop chaincode %s", chaincodeID)
	}
}

// vanishedError has Fabric's text (core/chaincode/chaincode_support.go) and is a handler.ErrStreamTerminated.
type vanishedError struct{ chaincodeID string }

func (e *vanishedError) Error() string {
	return "claimed to start chaincode container for " + e.chaincodeID + " but could not find handler"
}

func (e *vanishedError) Is(target error) bool { return target == handler.ErrStreamTerminated }

// handler returns the handler of a chaincode, launching it if necessary.
func (cs *ChaincodeSupport) handler(ctx context.Context, chaincodeID string) (*handler.Handler, error) {
	for {
		in, started, err := cs.instance(chaincodeID)
		if err != nil {
			return nil, err
		}
		if started || in.launching() {
			select {
			case <-in.launched:
			case <-ctx.Done():
				return nil, errors.Wrapf(ctx.Err(), "wait for the launch of chaincode %s", chaincodeID)
			}
			if err := in.ended().launch; err != nil {
				return nil, err
			}
			if h, ok := in.usable(); ok {
				return h, nil
			}
			// It was ready, and has ended at once. Chaincode that always does must not be launched for ever.
			return nil, &vanishedError{chaincodeID: chaincodeID}
		}
		if h, ok := in.usable(); ok {
			return h, nil
		}
		// It has ended, or its launch had failed before this call.
		if err := cs.awaitExit(ctx, in); err != nil {
			return nil, err
		}
	}
}

// awaitExit returns when nothing of an instance is left, so that the next one may start.
func (cs *ChaincodeSupport) awaitExit(ctx context.Context, in *instance) error {
	deadline := time.NewTimer(cs.cfg.StartupTimeout)
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
func (cs *ChaincodeSupport) instance(chaincodeID string) (in *instance, started bool, err error) {
	if in := cs.instances.get(chaincodeID); in != nil {
		return in, false, nil
	}
	if err := handler.CheckChaincodeID(chaincodeID); err != nil {
		return nil, false, err
	}
	rt := cs.cfg.Runtime(chaincodeID)
	if v := reflect.ValueOf(rt); v.Kind() == reflect.Pointer && v.IsNil() { // as a map of pointers has it
		rt = nil
	}
	in = cs.instances.getOrAdd(chaincodeID, func() *instance {
		if rt == nil {
			hint := ""
			if cs.namesAreIDs() && !strings.Contains(chaincodeID, ":") {
				hint = " (without Config.Definitions, a chaincode's name is its chaincode ID)"
			}
			err = errors.Errorf("chaincode %s is not running, and this peer has no runtime for it%s", chaincodeID, hint)
			return nil
		}
		started = true
		in := cs.launch(chaincodeID, rt)
		if in == nil {
			err = ErrClosed
		}
		return in
	})
	return in, started, err
}

// launch starts a run of a chaincode, or returns nil if the ChaincodeSupport is closed. The caller holds instances.mu.
func (cs *ChaincodeSupport) launch(chaincodeID string, rt runtime.Runtime) *instance {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return nil
	}
	ctx, stop := context.WithCancelCause(context.Background())
	in := newInstance(chaincodeID, stop)
	deadline := time.AfterFunc(cs.cfg.StartupTimeout, func() {
		cs.instances.check(in.end(startupExpired, errors.Errorf("timeout expired while starting chaincode %s for transaction", chaincodeID)))
	})
	cs.goroutines.Go(func() {
		defer deadline.Stop()
		cs.run(ctx, in, rt)
	})
	cs.instances.started(chaincodeID)
	return in
}

// run runs a chaincode until nothing of it is left.
func (cs *ChaincodeSupport) run(ctx context.Context, in *instance, rt runtime.Runtime) {
	start := time.Now()
	err := errors.New("the runtime's goroutine exited") // unless Run returns
	defer func() {
		cs.write(zap.InfoLevel, "chaincode ended", zap.String("chaincode", in.chaincodeID), zap.Duration("after", time.Since(start)), zap.NamedError("cause", err))
		cs.instances.check(in.end(runtimeReturned, launchError(err)))
		cs.retire(in, rt, err)
	}()
	cs.write(zap.InfoLevel, "launch chaincode", zap.String("chaincode", in.chaincodeID))
	err = cs.runGuarded(ctx, in.chaincodeID, rt)
}

// retire says that nothing of a run is left, and has the chaincode launched again if that is the policy.
func (cs *ChaincodeSupport) retire(in *instance, rt runtime.Runtime, cause error) {
	policy := cs.restartPolicy(in.chaincodeID)
	var pause time.Duration
	cs.instances.remove(in, func() {
		pause = cs.instances.ended(in, cause, policy, func(due *restart) { cs.relaunch(in.chaincodeID, rt, due) })
	})
	if pause > 0 {
		cs.write(zap.InfoLevel, "chaincode will be launched again", zap.String("chaincode", in.chaincodeID), zap.Duration("after", pause))
	}
}

// launchError is why a launch failed whose runtime returned err.
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

// runGuarded makes a panic of a runtime an error.
func (cs *ChaincodeSupport) runGuarded(ctx context.Context, chaincodeID string, rt runtime.Runtime) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cs.logPanic("a runtime", p, zap.String("chaincode", chaincodeID))
			err = errors.New("the runtime panicked")
		}
	}()
	return rt.Run(ctx, chaincodeID, func(ctx context.Context, s pb.Stream) error {
		return cs.handleStream(ctx, chaincodeID, s)
	})
}
