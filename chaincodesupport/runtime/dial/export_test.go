package dial

import (
	"time"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport/internal/gate"
)

// Impatient is cfg with as little patience with a server that says nothing as gRPC can have.
func Impatient(cfg Config) Config {
	cfg.quiet, cfg.silence = 10*time.Second, time.Second
	return cfg
}

// NewUnchecked is New without a look at the address, as if a resolver had been lied to afterwards.
func NewUnchecked(cfg Config) *Runtime {
	cfg.network, cfg.address = "tcp", cfg.Address
	return &Runtime{cfg: cfg.complete()}
}

// NextPause is nextPause.
var NextPause = nextPause

// Options are the options by which a connection is made, without a word of what fails.
func Options(cfg Config) []grpc.DialOption {
	cfg.address = cfg.Address
	cfg = cfg.complete()
	return cfg.dialOptions(make(chan error, 1), gate.New())
}
