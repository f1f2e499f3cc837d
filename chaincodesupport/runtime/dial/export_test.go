package dial

// NewUnchecked is New without a look at the address, as if a resolver had been lied to afterwards.
func NewUnchecked(cfg Config) *Runtime {
	cfg.network, cfg.address = "tcp", cfg.Address
	return &Runtime{cfg: cfg.complete()}
}

// NextPause is nextPause.
var NextPause = nextPause
