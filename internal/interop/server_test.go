package interop_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	goruntime "runtime"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// server runs chaincode that is a server, each in a process of its own, and dials it. The process is told its address
// by serverVar.
type server struct {
	process process.Config
	tls     *serverTLS // nil: plaintext
}

var _ runtime.Runtime = server{}

// Run implements runtime.Runtime.
func (s server) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	cfg := s.process
	cfg.PeerAddress = address // required, though nobody dials it
	cfg.Env = append([]string{serverVar + "=" + address}, cfg.Env...)
	peer := dial.Config{Address: address}
	if s.tls != nil {
		if peer, err = s.tls.arrange(&cfg, address); err != nil {
			return err
		}
	}
	chaincode, err := process.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		ended <- chaincode.Run(ctx, chaincodeID, handle)
	}()
	if err = awaitListener(ctx, address); err == nil {
		err = s.dial(ctx, peer, chaincodeID, handle)
	}
	cancel()
	if processErr := <-ended; processErr != nil {
		return processErr
	}
	return err
}

func (server) dial(ctx context.Context, peer dial.Config, chaincodeID string, handle runtime.StreamHandler) error {
	dialled, err := dial.New(peer)
	if err != nil {
		return err
	}
	return dialled.Run(ctx, chaincodeID, handle)
}

// awaitListener returns when somebody listens.
func awaitListener(ctx context.Context, address string) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.Wrap(err, "wait for the chaincode to listen")
		}
	}
}

// unusedAddress returns an address that nobody else is likely to listen on before the chaincode does.
func unusedAddress() (string, error) {
	if goruntime.GOOS == "linux" { // all of 127.0.0.0/8 is local
		ip := netip.AddrFrom4([4]byte{127, byte(1 + rand.N(254)), byte(rand.N(256)), byte(1 + rand.N(254))})
		return netip.AddrPortFrom(ip, 7052).String(), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.Wrap(err, "find an unused port")
	}
	return l.Addr().String(), l.Close()
}
