package dial

import "time"

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
