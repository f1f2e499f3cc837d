package chaincodesupport

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport/internal/gate"
	"github.com/ccpeer/ccpeer/handler"
)

// door lets connections of chaincode in, and their streams. It sees to it that nobody takes the others' places: neither one
// certificate, nor one connection, nor all those on which no chaincode has registered.
type door struct {
	cfg *Config

	mu          sync.Mutex
	connections int // those that are open, or in their handshakes
	registered  int // those of them on which a chaincode is registered
	identities  map[string]*presence
}

// presence is how much there is of one identity.
type presence struct{ connections, streams int }

func newDoor(cfg *Config) *door { return &door{cfg: cfg, identities: map[string]*presence{}} }

// place is that of one connection. Its fields are guarded by the door's mu, except those that are never changed.
type place struct {
	door     *door
	gate     *gate.Gate
	identity string // that its credential proved; set before there are streams
	streams  int
	accepted int // those of the streams whose chaincode is registered
	left     bool
}

// exhausted returns an error for a limit that was reached. It names the setting.
func exhausted(what string, limit int, setting string) error {
	return status.Errorf(codes.ResourceExhausted, "%s: %d is the limit (Config.%s)", what, limit, setting)
}

// strangers is how many connections there may be on which no chaincode is registered. The other half is for those on which
// one is.
func (d *door) strangers() int { return (d.cfg.MaxConnections + 1) / 2 }

// connect gives a connection its place, before its handshake.
func (d *door) connect() (*place, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.connections >= d.cfg.MaxConnections:
		return nil, exhausted("there are too many connections of chaincode", d.cfg.MaxConnections, "MaxConnections")
	case d.connections-d.registered >= d.strangers():
		return nil, exhausted("there are too many connections on which no chaincode is registered", d.strangers(), "MaxConnections, of which these are half")
	}
	d.connections++
	return &place{door: d, gate: gate.New()}, nil
}

// identified counts a connection for the identity that its handshake has proved. "" is nobody's, and isn't counted.
func (p *place) identified(identity string) error {
	if identity == "" {
		return nil
	}
	d := p.door
	d.mu.Lock()
	defer d.mu.Unlock()
	of := d.presence(identity)
	if of.connections >= d.cfg.MaxStreamsPerIdentity {
		return exhausted("chaincode "+identity+" has too many connections", d.cfg.MaxStreamsPerIdentity, "MaxStreamsPerIdentity")
	}
	of.connections++
	p.identity = identity
	return nil
}

// presence returns that of an identity. The caller holds mu, and raises one of its counts or calls tidy.
func (d *door) presence(identity string) *presence {
	of := d.identities[identity]
	if of == nil {
		of = &presence{}
		d.identities[identity] = of
	}
	return of
}

// tidy forgets an identity of which nothing is left. The caller holds mu.
func (d *door) tidy(identity string) {
	if of := d.identities[identity]; of != nil && *of == (presence{}) {
		delete(d.identities, identity)
	}
}

// leave gives the place of a connection back.
func (p *place) leave() {
	d := p.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	d.connections--
	if p.accepted > 0 {
		d.registered--
	}
	if p.identity != "" {
		d.identities[p.identity].connections--
		d.tidy(p.identity)
	}
}

// visit is one stream that has come in by the door.
type visit struct {
	handler.Registry
	door     *door
	place    *place // nil: the server has credentials of its own
	identity string // "": nobody knows
	accepted bool   // guarded by the door's mu
	refused  atomic.Bool
}

// enter lets a stream in. After a nil error the caller must call leave.
func (d *door) enter(ctx context.Context, identity string, reg handler.Registry) (*visit, error) {
	p, _ := ctx.Value(placeKey{}).(*place)
	d.mu.Lock()
	defer d.mu.Unlock()
	if p != nil && p.streams >= d.cfg.MaxStreamsPerConnection {
		return nil, exhausted("the connection has too many streams", d.cfg.MaxStreamsPerConnection, "MaxStreamsPerConnection")
	}
	if identity != "" {
		of := d.presence(identity)
		if of.streams >= d.cfg.MaxStreamsPerIdentity {
			return nil, exhausted("chaincode "+identity+" has too many streams", d.cfg.MaxStreamsPerIdentity, "MaxStreamsPerIdentity")
		}
		of.streams++
	}
	if p != nil {
		p.streams++
	}
	return &visit{Registry: reg, door: d, place: p, identity: identity}, nil
}

// Register implements handler.Registry. When the registry has accepted the chaincode, more than a REGISTER may come.
func (v *visit) Register(h *handler.Handler) error {
	if err := v.Registry.Register(h); err != nil {
		return err
	}
	d, p := v.door, v.place
	if p == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.accepted = true; p.accepted == 0 && !p.left {
		d.registered++
	}
	p.accepted++
	p.gate.Open()
	return nil
}

// leave counts a stream out that has ended with err, and returns what its chaincode is told.
func (v *visit) leave(err error) error {
	d, p := v.door, v.place
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.identity != "" {
		d.identities[v.identity].streams--
		d.tidy(v.identity)
	}
	if p == nil {
		return err
	}
	p.streams--
	if v.accepted {
		p.accepted--
	}
	if v.accepted && p.accepted == 0 {
		p.gate.Close()
		if !p.left {
			d.registered--
		}
	}
	if v.refused.Load() {
		return status.Error(codes.ResourceExhausted, context.Cause(p.gate.Exceeded()).Error())
	}
	return err
}

// exceeded ends a stream whose connection has sent too much.
func (v *visit) exceeded(end context.CancelFunc) {
	v.refused.Store(true)
	end()
}
