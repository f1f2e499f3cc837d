package shim

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// What keeps a quiet connection alive: the official shim's figures, which every peer allows.
const (
	pingInterval = time.Minute
	pingTimeout  = 20 * time.Second
)

// window is the size in bytes of HTTP/2's flow control windows. A fixed one saves the pings of gRPC's estimator.
const window = 1 << 20

// peerAddressFlag is the flag by which a peer tells its address to the chaincode that it starts.
const peerAddressFlag = "peer.address"

// Start connects to the peer that started the process, and serves it. Call it in your main function. It returns only when
// the stream has ended or could not be opened, and says why.
//
// The peer's address comes from the flag -peer.address or from CORE_PEER_ADDRESS. LoadConfig reads everything else from the
// environment. Start parses the command line; if your program has flags of its own, define them before. It logs to standard
// error.
func Start(cc Chaincode) error {
	if flag.Lookup(peerAddressFlag) == nil {
		flag.String(peerAddressFlag, "", "address of the peer, host:port or unix:///path")
	}
	flag.Parse()
	cfg, err := LoadConfig(flag.Lookup(peerAddressFlag).Value.String(), os.LookupEnv)
	if err != nil {
		return err
	}
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	return Run(context.Background(), cfg, cc)
}

// GetMSPID returns the MSP ID of the peer's own organization, which the peer tells its chaincode in CORE_PEER_LOCALMSPID.
// Before your chaincode reads private data for its client, compare it with the client's, which package cid tells.
func GetMSPID() (string, error) {
	id := os.Getenv("CORE_PEER_LOCALMSPID")
	if id == "" {
		return "", errors.New("'CORE_PEER_LOCALMSPID' is not set")
	}
	return id, nil
}

// Run connects to the peer and serves it until the stream ends, and returns why it ended. That error is io.EOF (errors.Is)
// if the peer ended the stream in good order. When ctx ends, Run refuses new transactions, gives running ones cfg.Grace to
// finish, and returns nil.
func Run(ctx context.Context, cfg Config, cc Chaincode) error {
	if err := cfg.check(cc); err != nil {
		return err
	}
	if cfg.PeerAddress == "" {
		return errors.New("peer address must be specified")
	}
	conn, err := grpc.NewClient(cfg.PeerAddress, dialOptions(cfg)...)
	if err != nil {
		return errors.Wrapf(err, "connect to peer %q", cfg.PeerAddress)
	}
	defer func() { _ = conn.Close() }()

	streamCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stopDialing := context.AfterFunc(ctx, cut)
	stream, err := pbgrpc.DialChaincodeSupport(streamCtx, conn)
	if !stopDialing() {
		return nil
	}
	if err != nil {
		return errors.Wrapf(err, "connect to peer %q", cfg.PeerAddress)
	}

	h := newHandler(stream, cc, cfg.logger())
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		timer := time.AfterFunc(cfg.grace(), cut) // ends the stream under whatever waits below
		defer timer.Stop()
		h.leave(stream.CloseSend)
	})
	err = h.chat(cfg.ChaincodeID, cfg.grace())
	if stop() {
		return err
	}
	<-stopped
	return nil
}

func dialOptions(cfg Config) []grpc.DialOption {
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pb.MaxMessageSize), grpc.MaxCallSendMsgSize(pb.MaxMessageSize)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
	}
}

// StartInProc serves a peer in the same process, on the chaincode's end of a stream between the two, until the stream ends.
// It closes its side of the stream and returns why it ended, as Run does. Like Start it logs to standard error, because a
// chaincode that panics should leave a trace. Use Chat to choose the Logger.
func StartInProc(chaincodeID string, s pb.ClientStream, cc Chaincode) error {
	defer func() { _ = s.CloseSend() }()
	return Chat(s, Config{ChaincodeID: chaincodeID, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}, cc)
}

// Chat registers on a stream that you have opened. It serves the stream until it ends, and returns why it ended. That error
// is io.EOF (errors.Is) if the peer ended the stream in good order. Chat returns when all transactions have returned, or
// cfg.Grace after the stream's end. To stop it, end the stream.
func Chat(s pb.Stream, cfg Config, cc Chaincode) error {
	if err := cfg.check(cc); err != nil {
		return err
	}
	return newHandler(s, cc, cfg.logger()).chat(cfg.ChaincodeID, cfg.grace())
}
