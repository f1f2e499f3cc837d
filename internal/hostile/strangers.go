//go:build linux

package hostile

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// RunStrangers has 80 strangers send 94 MiB each of a message of 95 MiB, and stall. It cost 2.6 GiB.
func RunStrangers(t *testing.T) {
	const strangers, size, sent = 80, 95 << 20, 94 << 20
	p := startPeer(t, false)
	before := p.peak()
	message, over := make(verbatim, size), make(chan struct{}, strangers)
	for range strangers {
		conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				return &stalling{Conn: c, left: sent, over: over, closed: make(chan struct{})}, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		s, err := pbgrpc.DialChaincodeSupport(t.Context(), conn, grpc.ForceCodecV2(message), grpc.MaxCallSendMsgSize(size))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Send(nil) }() // it ends with the connection
	}
	p.serves("meanwhile")
	for range strangers {
		select {
		case <-over:
		case <-time.After(patience):
			t.Fatal("the peer neither takes what strangers send nor hangs up")
		}
	}
	p.serves("after")
	more := p.peak() - before
	t.Logf("the peer needed %d MiB more", more>>20)
	if more > 64<<20 && !raced() {
		t.Errorf("the peer needed %d MiB more", more>>20)
	}
}

// stalling is a connection that sends so many bytes, and then nothing more. It tells when that is so, or when it is cut off.
type stalling struct {
	net.Conn
	left   int
	over   chan<- struct{}
	once   sync.Once // tells
	end    sync.Once // closes closed
	closed chan struct{}
}

// Write implements net.Conn. gRPC has one writer.
func (c *stalling) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left >= 0 {
		return c.Conn.Write(b)
	}
	c.tell()
	<-c.closed
	return 0, net.ErrClosed
}

// Close implements net.Conn.
func (c *stalling) Close() error {
	c.end.Do(func() { close(c.closed) })
	c.tell()
	return c.Conn.Close()
}

func (c *stalling) tell() { c.once.Do(func() { c.over <- struct{}{} }) }

// verbatim is a codec that has one message for everything, of which there are no copies.
type verbatim []byte

// Marshal implements encoding.CodecV2.
func (v verbatim) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v)}, nil
}

// Unmarshal implements encoding.CodecV2. Nothing comes.
func (verbatim) Unmarshal(mem.BufferSlice, any) error { return nil }

// Name implements encoding.CodecV2.
func (verbatim) Name() string { return "proto" }
