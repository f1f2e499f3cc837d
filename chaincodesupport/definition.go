package chaincodesupport

import (
	"context"
	"maps"
	"runtime/debug"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
)

// Definition is what a channel has agreed on about a chaincode.
type Definition struct {
	// ChaincodeID is what the chaincode registers as. Required.
	ChaincodeID string
	// Version is the chaincode's version by the definition, which may differ from what ChaincodeID says. Required with
	// InitRequired.
	Version string
	// InitRequired says that each version has to be initialized before it runs: once, by a call that is marked as init.
	InitRequired bool
}

// Definitions knows the chaincodes of channels (Fabric: core/chaincode, Lifecycle.ChaincodeEndorsementInfo).
type Definitions interface {
	// Definition returns the definition of the chaincode that is called name on the channel, or an error if there is
	// none.
	Definition(ctx context.Context, channelID, name string) (Definition, error)
}

// DefinitionsFunc is a function that is Definitions.
type DefinitionsFunc func(ctx context.Context, channelID, name string) (Definition, error)

// Definition implements Definitions.
func (f DefinitionsFunc) Definition(ctx context.Context, channelID, name string) (Definition, error) {
	return f(ctx, channelID, name)
}

// nameIsID is the Definitions of a peer that was given none.
type nameIsID struct{}

func (nameIsID) Definition(_ context.Context, _, name string) (Definition, error) {
	return Definition{ChaincodeID: name}, nil
}

// Decorator adds to what a chaincode is called with (Fabric: core/handlers/decoration).
type Decorator interface {
	// Decorate returns what is to be added to in.Decorations. It modifies nothing that it is given. An error keeps the
	// transaction from being run.
	Decorate(ctx context.Context, p handler.TxParams, in Input) (map[string][]byte, error)
}

// Call is Execute for the chaincode that is called name on p.ChannelID: its definition is asked for, and an init of it is
// checked and noted in the state (handler.InitializedKey) as Fabric's peer does, so that it happens once for each
// version. p.Namespace is set to name.
func (cs *ChaincodeSupport) Call(ctx context.Context, name string, p handler.TxParams, in Input) (*Result, error) {
	p.Namespace = name
	chaincodeID, err := cs.checkInvocation(ctx, p, in.IsInit)
	if err != nil {
		return nil, err
	}
	return cs.Execute(ctx, chaincodeID, p, in)
}

// checkInvocation returns the chaincode ID of the chaincode that is called p.Namespace, if it may be called like that now
// (Fabric: core/chaincode, ChaincodeSupport.CheckInvocation).
func (cs *ChaincodeSupport) checkInvocation(ctx context.Context, p handler.TxParams, isInit bool) (string, error) {
	name := p.Namespace
	d, err := cs.definition(ctx, p.ChannelID, name)
	switch {
	case err != nil:
		return "", errors.WithMessagef(err, "[channel %s] failed to get chaincode container info for %s", p.ChannelID, name)
	case d.InitRequired:
		return d.ChaincodeID, cs.checkInitialized(ctx, p, d.Version, isInit)
	case isInit && cs.cfg.Definitions != Definitions(nameIsID{}): // without Definitions nothing is known of inits
		return "", errors.Errorf("chaincode '%s' does not require initialization but called as init", name)
	}
	return d.ChaincodeID, nil
}

// checkInitialized refuses what is not initialized, and to initialize it twice. It notes the version of an init.
func (cs *ChaincodeSupport) checkInitialized(ctx context.Context, p handler.TxParams, version string, isInit bool) error {
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

// definition asks Config.Definitions. If that panics, the call is refused and nothing else happens.
func (cs *ChaincodeSupport) definition(ctx context.Context, channelID, name string) (d Definition, err error) {
	defer cs.confine("Config.Definitions", &err)
	return cs.cfg.Definitions.Definition(ctx, channelID, name)
}

// decorate returns the decorations of in, and those that the Decorators add.
func (cs *ChaincodeSupport) decorate(ctx context.Context, p handler.TxParams, in Input) (_ map[string][]byte, err error) {
	defer cs.confine("Config.Decorators", &err)
	all := make(map[string][]byte, len(in.Decorations))
	maps.Copy(all, in.Decorations)
	in.Decorations = all
	for _, d := range cs.cfg.Decorators {
		added, err := d.Decorate(ctx, p, in)
		if err != nil {
			return nil, errors.Wrapf(err, "decorate the input of transaction %s", p.TxID)
		}
		maps.Copy(all, added)
	}
	return all, nil
}

// confine, deferred, makes a panic of a hook an error that does not tell its value, which is logged.
func (cs *ChaincodeSupport) confine(hook string, err *error) {
	if p := recover(); p != nil {
		cs.write(zap.ErrorLevel, "panic in "+hook, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		*err = errors.New("panic during execution")
	}
}
