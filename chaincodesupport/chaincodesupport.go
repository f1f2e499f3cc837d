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
	log       *guardedLog
	life      *lifetime
	instances *instances
	launcher  *launcher
	policies  *policies
	inputs    sync.Pool // of *pb.ChaincodeInput, empty
	door      *door
	foreign   sync.Once // so that a foreign server is reported once
}

var _ pbgrpc.ChaincodeSupportServer = (*ChaincodeSupport)(nil)

// New returns a ChaincodeSupport. Close it after use.
func New(cfg Config) (*ChaincodeSupport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	log, life := newGuardedLog(cfg.Logger.Named("chaincode")), newLifetime()
	cs := &ChaincodeSupport{cfg: cfg, log: log, life: life}
	cs.door = newDoor(&cs.cfg)
	cs.instances = newInstances(cfg.DevMode, log.mistake, (&lifecycle{observer: cfg.Lifecycle, log: log, life: life}).tell)
	cs.launcher = &launcher{cfg: &cs.cfg, log: log, life: life, instances: cs.instances, serve: cs.handleStream}
	cs.policies = &policies{cfg: &cs.cfg, log: log, life: life}
	return cs, nil
}

// Launch makes sure that a chaincode is running and registered. Callers that come while it is being launched wait for the
// same launch, and all get its outcome. A failure is not kept: the next call tries again. ctx limits only how long this
// caller waits.
func (cs *ChaincodeSupport) Launch(ctx context.Context, chaincodeID string) (err error) {
	if err := cs.life.enter(); err != nil {
		return err
	}
	defer cs.life.leave()
	defer cs.log.confine(&err)
	_, _, err = cs.launcher.handler(ctx, chaincodeID)
	return err
}

// StopReplaced stops the chaincodes that something else runs now than before, or that nothing ran before. It is for whoever goes back to
// what ran the chaincodes at some moment. Both maps are by chaincode ID.
func StopReplaced[R comparable](ctx context.Context, cs *ChaincodeSupport, before, now map[string]R) error {
	for id, r := range now {
		if old, ok := before[id]; ok && old == r {
			continue
		}
		if err := cs.Stop(ctx, id); err != nil {
			return errors.WithMessagef(err, "stop chaincode %s", id)
		}
	}
	return nil
}

// Stop ends a chaincode. It waits until nothing of the chaincode is left running, or until ctx ends. The transactions in
// flight end with handler.ErrStreamTerminated. The chaincode isn't launched again until somebody calls it. It is no error to
// stop one that isn't running.
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

// stop makes a chaincode end, and returns its instance or nil. The caller may still have to report what becomes of the
// instance, before Close is done.
func (cs *ChaincodeSupport) stop(chaincodeID string) *instance {
	if cs.life.hold() == nil {
		defer cs.life.goroutines.Done()
	}
	return cs.instances.stop(chaincodeID, errors.Errorf("chaincode %s was stopped", chaincodeID))
}

// Close ends everything. From the start it refuses new transactions and launches. It lets the transactions in flight finish
// until ctx ends. Then it ends every stream (status Unavailable), stops every chaincode, and waits until all of it is gone,
// for at most Config.StopTimeout. An error says that something was left running.
func (cs *ChaincodeSupport) Close(ctx context.Context) error {
	defer cs.log.flush()
	return cs.life.close(ctx, cs.cfg.StopTimeout, cs.instances.stopAll)
}

// handleStream serves the peer's end of a stream. If chaincodeID isn't empty, it is the only one that the stream may
// register.
func (cs *ChaincodeSupport) handleStream(ctx context.Context, chaincodeID string, stream pb.Stream) error {
	return cs.handle(ctx, cs.handlerConfig(chaincodeID), stream)
}

func (cs *ChaincodeSupport) handle(ctx context.Context, cfg handler.Config, stream pb.Stream) (err error) {
	if err := cs.life.join(cs.cfg.MaxStreams); err != nil {
		return err
	}
	defer func() { err = cs.life.part(err) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(cs.life.ending, cancel)()
	return handler.HandleChaincodeStream(goroutines.Count(ctx, &cs.life.goroutines), cfg, stream)
}

func (cs *ChaincodeSupport) handlerConfig(chaincodeID string) handler.Config {
	return handler.Config{
		Hooks: cs.cfg.Hooks, Limits: cs.cfg.Limits,
		ChaincodeID: chaincodeID, Registry: cs.instances, Invoker: invoker{cs}, LogLimiter: &cs.log.limits.streams,
	}
}
