package chaincodesupport

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/goroutines"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// ChaincodeSupport runs chaincode. It is safe for concurrent use.
type ChaincodeSupport struct {
	cfg       Config
	log       guardedLog
	life      *lifetime
	instances *instances
	launcher  *launcher
	policies  *policies
	inputs    sync.Pool // of *pb.ChaincodeInput, empty
	foreign   sync.Once // somebody was told of a foreign server
}

var _ pbgrpc.ChaincodeSupportServer = (*ChaincodeSupport)(nil)

// New returns a ChaincodeSupport, which is to be closed after use.
func New(cfg Config) (*ChaincodeSupport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	log, life := guardedLog{cfg.Logger.Named("chaincode")}, newLifetime()
	cs := &ChaincodeSupport{cfg: cfg, log: log, life: life}
	cs.instances = newInstances(cfg.DevMode, log.mistake, (&lifecycle{observer: cfg.Lifecycle, log: log, life: life}).tell)
	cs.launcher = &launcher{cfg: &cs.cfg, log: log, life: life, instances: cs.instances, serve: cs.handleStream}
	cs.policies = &policies{cfg: &cs.cfg, log: log, life: life}
	return cs, nil
}

// Launch makes sure that a chaincode is running and registered. Callers that come while it is being launched wait for
// the same launch, and all get its outcome; a failure is not kept, the next call tries again. ctx limits the caller's
// waiting only.
func (cs *ChaincodeSupport) Launch(ctx context.Context, chaincodeID string) (err error) {
	if err := cs.life.enter(); err != nil {
		return err
	}
	defer cs.life.leave()
	defer cs.log.confine(&err)
	_, err = cs.launcher.handler(ctx, chaincodeID)
	return err
}

// Stop ends a chaincode and waits until nothing of it is left running, or ctx ends. Its transactions in flight end
// with handler.ErrStreamTerminated, and it isn't launched again before it is called. Stopping one that isn't running is no
// error.
func (cs *ChaincodeSupport) Stop(ctx context.Context, chaincodeID string) error {
	in := cs.stop(chaincodeID)
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

// stop makes a chaincode end, and returns its instance or nil. What becomes of that may have to be told, before Close is done.
func (cs *ChaincodeSupport) stop(chaincodeID string) *instance {
	if cs.life.hold() == nil {
		defer cs.life.goroutines.Done()
	}
	return cs.instances.stop(chaincodeID, errors.Errorf("chaincode %s was stopped", chaincodeID))
}

// Close lets the transactions in flight finish until ctx ends, then ends every stream (status Unavailable), stops
// every chaincode, and waits for all of it to be gone, for at most Config.StopTimeout. New transactions and launches
// are refused from the start. An error says that something was left running.
func (cs *ChaincodeSupport) Close(ctx context.Context) error {
	return cs.life.close(ctx, cs.cfg.StopTimeout, cs.instances.stopAll)
}

// handleStream serves the peer's end of a stream. A chaincode ID that isn't empty is the only one it may register.
func (cs *ChaincodeSupport) handleStream(ctx context.Context, chaincodeID string, stream pb.Stream) (err error) {
	if err := cs.life.join(cs.cfg.MaxStreams); err != nil {
		return err
	}
	defer func() { err = cs.life.part(err) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(cs.life.ending, cancel)()
	return handler.HandleChaincodeStream(goroutines.Count(ctx, &cs.life.goroutines), cs.handlerConfig(chaincodeID), stream)
}

func (cs *ChaincodeSupport) handlerConfig(chaincodeID string) handler.Config {
	return handler.Config{
		Hooks: cs.cfg.Hooks, Limits: cs.cfg.Limits,
		ChaincodeID: chaincodeID, Registry: cs.instances, Invoker: invoker{cs},
	}
}
