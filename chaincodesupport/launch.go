package chaincodesupport

import (
	"context"
	"runtime/debug"
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
func (cs *ChaincodeSupport) Launch(ctx context.Context, chaincodeID string) error {
	if err := cs.begin(); err != nil {
		return err
	}
	defer cs.executing.Done()
	_, err := cs.handler(ctx, chaincodeID)
	return err
}

// Stop ends a chaincode and waits until nothing of it is left running, or ctx ends. Its transactions in flight end
// with handler.ErrStreamTerminated. Stopping one that isn't running is no error.
func (cs *ChaincodeSupport) Stop(ctx context.Context, chaincodeID string) error {
	in := cs.instances.get(chaincodeID)
	if in == nil {
		return nil
	}
	in.fail(errors.Errorf("chaincode %s was stopped", chaincodeID))
	select {
	case <-in.exited:
		return nil
	case <-ctx.Done():
		return errors.Wrapf(ctx.Err(), "stop chaincode %s", chaincodeID)
	}
}

// handler returns the handler of a chaincode, launching it if necessary.
func (cs *ChaincodeSupport) handler(ctx context.Context, chaincodeID string) (*handler.Handler, error) {
	for {
		in, err := cs.instance(chaincodeID)
		if err != nil {
			return nil, err
		}
		if h, ok := in.usable(); ok {
			return h, nil
		}
		select {
		case <-in.launched:
		case <-ctx.Done():
			return nil, errors.Wrapf(ctx.Err(), "wait for the launch of chaincode %s", chaincodeID)
		}
		if in.err != nil {
			return nil, in.err
		}
		if h, ok := in.usable(); ok {
			return h, nil
		}
		// It was launched, and has ended since. The next one starts when nothing of it is left.
		select {
		case <-in.exited:
		case <-ctx.Done():
			return nil, errors.Wrapf(ctx.Err(), "wait for the end of chaincode %s", chaincodeID)
		}
	}
}

// instance returns the run of a chaincode that is under way, or starts one.
func (cs *ChaincodeSupport) instance(chaincodeID string) (*instance, error) {
	if in := cs.instances.get(chaincodeID); in != nil {
		return in, nil
	}
	if err := handler.CheckChaincodeID(chaincodeID); err != nil {
		return nil, err
	}
	rt := cs.cfg.Runtime(chaincodeID)
	in := cs.instances.getOrAdd(chaincodeID, func() *instance {
		if rt == nil {
			return nil
		}
		return cs.launch(chaincodeID, rt)
	})
	if in == nil {
		return nil, errors.Errorf("chaincode %s is not running, and this peer has no runtime for it", chaincodeID)
	}
	return in, nil
}

// launch starts a run of a chaincode.
func (cs *ChaincodeSupport) launch(chaincodeID string, rt runtime.Runtime) *instance {
	ctx, stop := context.WithCancelCause(context.Background())
	in := newInstance(chaincodeID, stop)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		in.fail(ErrClosed)
		close(in.exited)
		return in
	}
	deadline := time.AfterFunc(cs.cfg.StartupTimeout, func() { cs.timeOut(in) })
	cs.goroutines.Go(func() {
		defer deadline.Stop()
		cs.run(ctx, in, rt)
	})
	return in
}

func (cs *ChaincodeSupport) timeOut(in *instance) {
	if _, ready := in.usable(); ready {
		return
	}
	in.fail(errors.Errorf("timeout expired while starting chaincode %s for transaction", in.chaincodeID))
}

// run runs a chaincode until nothing of it is left.
func (cs *ChaincodeSupport) run(ctx context.Context, in *instance, rt runtime.Runtime) {
	start := time.Now()
	cs.log.Info("launch chaincode", zap.String("chaincode", in.chaincodeID))
	err := cs.runGuarded(ctx, in.chaincodeID, rt)
	cs.log.Info("chaincode ended", zap.String("chaincode", in.chaincodeID), zap.Duration("after", time.Since(start)), zap.NamedError("cause", err))
	if err == nil {
		err = errors.New("chaincode ended")
	}
	var notStarted *runtime.StartError
	if !errors.As(err, &notStarted) {
		err = errors.WithMessage(err, "chaincode registration failed")
	}
	in.fail(err)
	cs.instances.remove(in)
}

// runGuarded makes a panic of a runtime an error.
func (cs *ChaincodeSupport) runGuarded(ctx context.Context, chaincodeID string, rt runtime.Runtime) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cs.log.Error("panic in a runtime", zap.String("chaincode", chaincodeID), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = errors.New("the runtime panicked")
		}
	}()
	return rt.Run(ctx, chaincodeID, func(ctx context.Context, s pb.Stream) error {
		return cs.handleStream(ctx, chaincodeID, s)
	})
}
