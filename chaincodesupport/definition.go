package chaincodesupport

import (
	"context"
	"maps"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
)

// Definition is what a channel has agreed on about a chaincode.
type Definition struct {
	// ChaincodeID is what the chaincode registers as. Required.
	ChaincodeID string
	// Version is the chaincode's version according to the definition, which may differ from what ChaincodeID says. Required
	// with InitRequired.
	Version string
	// InitRequired says that each version has to be initialized before it runs. That takes one call that is marked as init.
	InitRequired bool
	// InitOptional says that a call may be marked as init, any number of times, although none has to be. Fabric has no such thing
	// since 2.0. It does nothing with InitRequired.
	InitOptional bool
}

// Definitions knows what channels have agreed on about chaincodes (Fabric: core/chaincode,
// Lifecycle.ChaincodeEndorsementInfo).
type Definitions interface {
	// Definition returns the definition of the chaincode that is called p.Namespace on p.ChannelID, or an error if there is
	// none. If definitions are kept in the channel's state, read them by p.Simulation.Do. Then a transaction is invalid if
	// the definition has changed by the time it is committed.
	Definition(ctx context.Context, p handler.TxParams) (Definition, error)
}

// DefinitionsFunc is a function that implements Definitions.
type DefinitionsFunc func(ctx context.Context, p handler.TxParams) (Definition, error)

// Definition implements Definitions.
func (f DefinitionsFunc) Definition(ctx context.Context, p handler.TxParams) (Definition, error) {
	return f(ctx, p)
}

// nameIsID is the Definitions that a peer has if it sets none.
type nameIsID struct{}

func (nameIsID) Definition(_ context.Context, p handler.TxParams) (Definition, error) {
	return Definition{ChaincodeID: p.Namespace}, nil
}

// namesAreIDs reports whether d is the default, by which a name is the chaincode ID.
func namesAreIDs(d Definitions) bool { return d == Definitions(nameIsID{}) }

// Decorator adds to what a chaincode is called with (Fabric: core/handlers/decoration).
type Decorator interface {
	// Decorate returns what to add to in.Decorations. It modifies nothing that it is given. After an error the transaction
	// is not run.
	Decorate(ctx context.Context, p handler.TxParams, in Input) (map[string][]byte, error)
}

// DecoratorFunc is a function that implements Decorator.
type DecoratorFunc func(ctx context.Context, p handler.TxParams, in Input) (map[string][]byte, error)

// Decorate implements Decorator.
func (f DecoratorFunc) Decorate(ctx context.Context, p handler.TxParams, in Input) (map[string][]byte, error) {
	return f(ctx, p, in)
}

// policies are asked before a transaction begins: which chaincode a name stands for, whether it may be called now, and what
// the peer adds to its input.
type policies struct {
	cfg  *Config
	log  *guardedLog
	life *lifetime
}

// awaitCheck calls checkInvocation, but waits for it no longer than await does.
func (ps *policies) awaitCheck(ctx context.Context, p handler.TxParams, isInit bool) (string, error) {
	return await(ctx, ps, "Config.Definitions or the ledger", func(ctx context.Context) (string, error) {
		return ps.checkInvocation(ctx, p, isInit)
	})
}

// checkInvocation returns the chaincode ID of the chaincode that is called p.Namespace, or an error if it may not be called
// now (Fabric: core/chaincode, ChaincodeSupport.CheckInvocation).
func (ps *policies) checkInvocation(ctx context.Context, p handler.TxParams, isInit bool) (chaincodeID string, err error) {
	name := p.Namespace
	d, err := ps.cfg.Definitions.Definition(ctx, p)
	switch {
	case err == nil && d.ChaincodeID == "":
		err = errors.Errorf("definition of chaincode '%s' has no chaincode ID", name)
	case err != nil:
		err = errors.WithMessagef(err, "[channel %s] failed to get chaincode container info for %s", p.ChannelID, name)
	case d.InitRequired:
		err = ps.checkInitialized(ctx, p, d.Version, isInit)
	case isInit && !d.InitOptional:
		err = errors.Errorf("chaincode '%s' does not require initialization but called as init", name)
	}
	return d.ChaincodeID, errors.WithMessage(err, "invalid invocation")
}

// checkInitialized refuses a chaincode that is not initialized, and refuses to initialize one twice. It notes the version of
// an init.
func (ps *policies) checkInitialized(ctx context.Context, p handler.TxParams, version string, isInit bool) error {
	name := p.Namespace
	switch {
	case version == "":
		return errors.Errorf("chaincode '%s' requires initialization, but its definition has no version", name)
	case p.Simulation == nil:
		return errors.Errorf("chaincode '%s' requires initialization, which needs a simulation", name)
	}
	return p.Simulation.Do(ctx, func(sim ledger.Simulator) error {
		initialized, err := sim.GetState(ctx, name, handler.InitializedKey)
		if err != nil {
			return errors.WithMessage(err, "could not get 'initialized' key")
		}
		switch done := string(initialized) == version; {
		case !isInit && !done:
			return errors.Errorf("chaincode '%s' has not been initialized for this version, must call as init first", name)
		case !isInit:
			return nil
		case done:
			return errors.Errorf("chaincode '%s' is already initialized but called as init", name)
		}
		err = sim.SetState(ctx, name, handler.InitializedKey, []byte(version))
		return errors.WithMessage(err, "could not set 'initialized' key")
	})
}

// decorate returns the decorations of in, together with those that the Decorators add.
func (ps *policies) decorate(ctx context.Context, p handler.TxParams, in Input) (map[string][]byte, error) {
	return await(ctx, ps, "Config.Decorators", func(ctx context.Context) (map[string][]byte, error) {
		all := make(map[string][]byte, len(in.Decorations))
		maps.Copy(all, in.Decorations)
		in.Decorations = all
		for _, d := range ps.cfg.Decorators {
			added, err := d.Decorate(ctx, p, in)
			if err != nil {
				return nil, errors.Wrapf(err, "decorate the input of transaction %s", p.TxID)
			}
			maps.Copy(all, added)
		}
		return all, nil
	})
}

// await calls f, which asks hooks, and returns what f returns. A hook that hangs must not hold up the caller, so f runs in a
// goroutine of its own. If ctx or ExecuteTimeout ends first, f ends in the background, where Close waits for it. A panic
// becomes an error that doesn't tell its value; the log does.
func await[T any](ctx context.Context, ps *policies, hook string, f func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, ps.cfg.ExecuteTimeout)
	defer cancel()
	done := make(chan outcome, 1)
	ps.life.goroutines.Go(func() {
		o := outcome{err: errPanic} // unless f returns
		defer func() {
			if p := recover(); p != nil {
				ps.log.panicked(hook, p)
			}
			done <- o
		}()
		o.value, o.err = f(ctx)
	})
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	var none T
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return none, handler.ErrTimeout
	}
	return none, ctx.Err()
}
