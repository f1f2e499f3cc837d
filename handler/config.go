package handler

import (
	"github.com/pkg/errors"
	"go.uber.org/zap"
)

// Config is how a Handler behaves. The zero value of every field but Registry is usable.
type Config struct {
	// Hooks are what a peer decides, knows and wants to be told.
	Hooks
	// Limits are what is granted to chaincode.
	Limits

	// ChaincodeID is the only chaincode ID that may register on the stream. Set it if you know it beforehand: from a client
	// certificate, from the address that was dialled, or because the chaincode was started in process. With "" it is
	// Registry that decides.
	ChaincodeID string
	// Registry is required.
	Registry Registry
	// Invoker serves INVOKE_CHAINCODE. Nil: chaincode can't call chaincode.
	Invoker Invoker
	// LogLimiter limits what is logged of faults, and of streams that begin and end. Handlers may share it. Nil: the handler has
	// one of its own.
	LogLimiter *LogLimiter
}

// withDefaults returns the Config with every hook and limit in place, or says what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Registry == nil {
		return c, errors.New("handler: Config.Registry is required")
	}
	var err error
	if c.Limits, err = c.WithDefaults(); err != nil {
		return c, errors.WithMessage(err, "handler")
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.LogLimiter == nil {
		c.LogLimiter = new(LogLimiter)
	}
	if c.CollectionStore == nil {
		c.CollectionStore = denyAll{}
	}
	if c.ApplicationConfig == nil {
		c.ApplicationConfig = newestChannel{}
	}
	return c, nil
}
