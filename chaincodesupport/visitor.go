package chaincodesupport

import (
	"context"
	"net"
	"runtime"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	pb "github.com/ccpeer/ccpeer/proto"
)

// guarded are credentials whose connections come in by the door.
type guarded struct {
	credentials.TransportCredentials
	cs *ChaincodeSupport
}

var _ credentials.TransportCredentials = guarded{}

// ServerHandshake implements credentials.TransportCredentials.
func (g guarded) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p, err := g.cs.door.connect()
	if err != nil {
		g.cs.log.refuse(err)
		return nil, nil, err
	}
	c, info, err := g.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		p.leave()
		return nil, nil, err
	}
	if err := p.identified(g.cs.identityOf(c, info)); err != nil {
		p.leave()
		_ = c.Close() // the caller gets the other error
		g.cs.log.refuse(err)
		return nil, nil, err
	}
	v := &visitor{Conn: p.gate.Guard(c), place: p}
	// If the connection ends before gRPC has begun with it, gRPC closes only the raw one.
	runtime.AddCleanup(v, (*place).leave, p)
	return v, info, nil
}

// Clone implements credentials.TransportCredentials.
func (g guarded) Clone() credentials.TransportCredentials {
	return guarded{g.TransportCredentials.Clone(), g.cs}
}

// visitor is a connection that has a place.
type visitor struct {
	net.Conn
	place *place
}

// LocalAddr implements net.Conn. gRPC passes it on to the streams, and nothing else of the connection. So the place is in
// it; vouch takes it out again.
func (v *visitor) LocalAddr() net.Addr { return placeAddr{v.Conn.LocalAddr(), v.place} }

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.place.leave()
	return v.Conn.Close()
}

// placeAddr is a connection's own address, with its place.
type placeAddr struct {
	net.Addr
	place *place
}

// placeKey is a key in the context of a stream. Its value is the *place of the connection.
type placeKey struct{}

// placed returns a stream's context with the place of its connection. Its peer.Peer is as it would be without a door.
func placed(ctx context.Context) context.Context {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx
	}
	at, ok := p.LocalAddr.(placeAddr)
	if !ok {
		return ctx
	}
	own := *p
	own.LocalAddr = at.Addr
	return peer.NewContext(context.WithValue(ctx, placeKey{}, at.place), &own)
}

// identityOf asks Config.Identify whose a connection is that has just shaken hands. Whoever can't be told is refused when
// there is a stream, so errors don't count here.
func (cs *ChaincodeSupport) identityOf(c net.Conn, info credentials.AuthInfo) string {
	if cs.cfg.Credentials == nil {
		return "" // in plaintext nobody proves anything
	}
	p := &peer.Peer{Addr: c.RemoteAddr(), LocalAddr: c.LocalAddr(), AuthInfo: info}
	identity, err := cs.identify(peer.NewContext(context.Background(), p))
	if err != nil {
		return ""
	}
	return identity
}

// handleVisit serves a stream that has come in by the door.
func (cs *ChaincodeSupport) handleVisit(ctx context.Context, v *visit, stream pb.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if v.place != nil {
		defer context.AfterFunc(v.place.gate.Exceeded(), func() { v.exceeded(cancel) })()
	}
	cfg := cs.handlerConfig(v.identity)
	cfg.Registry = v
	err := v.leave(cs.handle(ctx, cfg, stream))
	if v.refused.Load() {
		cs.log.refuse(err)
	}
	return err
}
