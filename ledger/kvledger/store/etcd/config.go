package etcd

import (
	"context"
	"crypto/tls"
	"math"
	"strings"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Config says where a store is, and what it may use.
type Config struct {
	// Endpoints are the client URLs of the cluster's servers, such as https://etcd1:2379. At least one is required. If you
	// give all of them, the store goes on when one server is lost.
	Endpoints []string
	// Prefix is what the store's etcd keys begin with. Empty means ccpeer-ledger/. It must have no zero byte. Stores with
	// different prefixes have nothing to do with each other.
	Prefix string
	// TLS says how to connect to endpoints with https. Nil means the system's root certificates.
	TLS *tls.Config
	// Username and Password are for clusters that authenticate their users. Empty means no user. The user must be allowed to
	// read and write the keys that begin with Prefix. Only root may compact, which Retain makes the store do.
	Username, Password string
	// Timeout is how long Commit tries, which must be enough for an election. It is also how long taking a snapshot, or a
	// read, may take. 0 is 30 seconds.
	Timeout time.Duration
	// Retain is how long what is overwritten stays readable in the snapshots of other processes. In this process's snapshots
	// it is always readable. After that time, the store has the servers forget it, which affects all of the cluster's keys.
	// 0 is 5 minutes. If it is negative, the store never does that, and somebody else must: the package's documentation has
	// a part on compaction.
	Retain time.Duration
	// Logger gets what happens in the background. Nil: nothing is logged.
	Logger *zap.Logger
}

const (
	defaultPrefix  = "ccpeer-ledger/"
	defaultTimeout = 30 * time.Second
	defaultRetain  = 5 * time.Minute

	// A server that doesn't answer is noticed after both together. Servers refuse a client that asks every 5 seconds.
	keepAliveTime, keepAliveTimeout = 10 * time.Second, 3 * time.Second

	// windowBytes is how much of an answer may be under way, also of one that is too large to be taken. gRPC would raise it to
	// 16 MiB on its own.
	windowBytes = 256 << 10
)

// complete returns the configuration with defaults in place of zero values.
func (c Config) complete() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Retain == 0 {
		c.Retain = defaultRetain
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	switch {
	case len(c.Endpoints) == 0:
		return c, errors.New("Config.Endpoints is required")
	case strings.Contains(c.Prefix, "\x00"):
		return c, errors.Errorf("Config.Prefix %q has a zero byte", c.Prefix)
	case c.Timeout < 0:
		return c, errors.Errorf("Config.Timeout is %s, less than 0", c.Timeout)
	}
	return c, nil
}

func (c Config) connect(ctx context.Context) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Endpoints: c.Endpoints, TLS: c.TLS, Username: c.Username, Password: c.Password,
		DialTimeout: c.Timeout, DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
		MaxCallSendMsgSize: math.MaxInt32, // it is the servers that have a limit
		Logger:             c.Logger.Named("client"),
		DialOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(limitAnswer),
			grpc.WithStaticStreamWindowSize(windowBytes), grpc.WithStaticConnWindowSize(4 * windowBytes),
		},
	}
	if deadline, ok := ctx.Deadline(); ok {
		cfg.DialTimeout = min(cfg.DialTimeout, max(time.Until(deadline), 1)) // 0 would be no limit
	}
	client, err := clientv3.New(cfg)
	return client, errors.Wrap(err, "connect")
}
