// Package attach waits for chaincode that a user starts by hand, as often as they like, while they work on it
// (chaincode.mode dev).
//
//	rt, err := attach.New(attach.Config{ChaincodeID: "asset:1", PeerAddress: …, TLS: auth, Dir: "/home/me/asset-dev"})
//	defer rt.Close()
//
// [New] writes down what the chaincode needs to know, keys included. In a POSIX shell (on Windows, Git has one), the user
// then says
//
//	. /home/me/asset-dev/chaincode.env
//	./asset -peer.address "$CORE_PEER_ADDRESS"                            # Go
//	fabric-chaincode-node start --peer.address "$CORE_PEER_ADDRESS"       # Node
//
// A call of chaincode that is not there waits for it, for as long as a launch may take. Chaincode that comes before it is
// called is accepted if chaincodesupport.Config.DevMode is set. With TLS, its certificate says who it is.
package attach

import (
	"context"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// ErrClosed is the cause of Run's error after the Runtime has been closed.
var ErrClosed = errors.New("attach runtime is closed")

// Config says which chaincode the Runtime waits for, and what that is told. New copies it.
type Config struct {
	// ChaincodeID is what the chaincode registers as. Required.
	ChaincodeID string
	// PeerAddress is where the chaincode finds the peer: host:port or unix:///path. Required.
	PeerAddress string
	// TLS makes the certificate with which the chaincode proves to the peer who it is. There is one, which is good until
	// Close. Nil means plaintext, which is allowed only for an address that is loopback or a socket.
	TLS runtime.Issuer
	// Dir is the absolute path of the folder for the files. Required. If it is not there, it is made. If it is, nobody but
	// its owner may have access to it. It must be empty, or have only what an earlier Runtime has written, which is
	// replaced. No other Runtime may use it at the same time. On Windows, the folder's owner says who has access, and this
	// isn't checked. Give a folder below the user's own there.
	Dir string
	// MSPID is the ID of the peer's organization. The chaincode gets it as CORE_PEER_LOCALMSPID. Empty means SampleOrg, as
	// in Fabric's core.yaml.
	MSPID string
	// Logger gets a line each time that the peer waits for the chaincode, under the name "container". It says how to start
	// the chaincode. Nil: nothing is logged.
	Logger *zap.Logger
}

func (c *Config) validate() error {
	switch {
	case c.ChaincodeID == "":
		return errors.New("the chaincode ID is empty")
	case !filepath.IsAbs(c.Dir):
		return errors.Errorf("folder %q is not an absolute path", c.Dir)
	case strings.Contains(c.ChaincodeID+c.PeerAddress+c.MSPID+c.Dir, "\x00"):
		return errors.New("there is a NUL in it, which no variable can hold")
	}
	return shimenv.CheckAddress(c.PeerAddress, c.TLS != nil)
}

// Runtime waits for one chaincode that a user starts. It is safe for concurrent use.
type Runtime struct {
	chaincodeID string
	envFile     string
	log         *zap.Logger
	waiting     loglimit.Lines // that say so
	closed      chan struct{}
	close       func() error
}

var _ runtime.Runtime = (*Runtime)(nil)

// New writes the files, and returns a Runtime. Close it after use. The error says which part of cfg is wrong, or why the
// files could not be written. Nothing is left of them then.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.validate(); err != nil {
		return nil, errors.Wrap(err, "configure attach runtime")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Dir = filepath.Clean(cfg.Dir)
	dir, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, errors.WithMessage(err, "prepare folder for chaincode's files")
	}
	s := &shimenv.Settings{ChaincodeID: cfg.ChaincodeID, PeerAddress: cfg.PeerAddress, MSPID: cfg.MSPID, Dir: cfg.Dir}
	if cfg.TLS != nil {
		if s.Credential, err = cfg.TLS.Issue(cfg.ChaincodeID); err != nil {
			_ = dir.Close() // nothing was written
			return nil, errors.WithMessage(err, "issue the chaincode's credential")
		}
	}
	r := &Runtime{
		chaincodeID: cfg.ChaincodeID,
		envFile:     filepath.Join(cfg.Dir, envName),
		log:         cfg.Logger.Named("container").With(zap.String("chaincode", cfg.ChaincodeID)),
		closed:      make(chan struct{}),
	}
	r.close = sync.OnceValue(func() error {
		close(r.closed)
		if s.Credential != nil {
			s.Credential.Revoke()
		}
		return errors.Wrap(dir.end(), "remove chaincode's files")
	})
	if err := dir.write(s); err != nil {
		_ = r.Close() // the first error says more
		return nil, errors.Wrap(err, "write chaincode's files")
	}
	return r, nil
}

// EnvFile is the path of the file that a shell sources before it starts the chaincode.
func (r *Runtime) EnvFile() string { return r.envFile }

// Run logs how to start the chaincode, and waits until ctx ends. It returns nil then. It doesn't use the stream handler,
// because the chaincode dials the peer. For another chaincode than that of the Config, and after Close, the error is a
// *runtime.StartError. If the Runtime is closed while Run waits, Run returns ErrClosed.
func (r *Runtime) Run(ctx context.Context, chaincodeID string, _ runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	if chaincodeID != r.chaincodeID {
		return &runtime.StartError{Cause: errors.Errorf("chaincode %.300q is not %q, which is the one that is started by hand", chaincodeID, r.chaincodeID)}
	}
	select {
	case <-r.closed:
		return &runtime.StartError{Cause: ErrClosed}
	default:
	}
	source := ". " + quote(r.envFile) + " && "
	r.waiting.Log(r.log, zap.InfoLevel, "waiting for chaincode that is started by hand",
		zap.String("go", source+`./chaincode -peer.address "$CORE_PEER_ADDRESS"`),
		zap.String("node", source+`fabric-chaincode-node start --peer.address "$CORE_PEER_ADDRESS"`))
	select {
	case <-ctx.Done():
		return nil
	case <-r.closed:
		return ErrClosed
	}
}

// Close makes the chaincode's certificate worthless, which cuts its connections, and removes the files. An error says that
// some are left. Closing again does nothing, and returns the same.
func (r *Runtime) Close() error { return r.close() }
