package chaincodesupport

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/diagram"
	"github.com/ccpeer/ccpeer/internal/limit"
)

// ResultOf makes a Result of a reply.
var ResultOf = resultOf

// Vanished returns the error for a chaincode whose stream ended right behind its launch.
func Vanished(chaincodeID string) error { return &vanishedError{chaincodeID} }

// LimitRows are the limits that are not handler.Limits.
func LimitRows() []limit.Row { return new(Config).table() }

// Served is the context of a stream that a server with ServerOptions has made.
func (cs *ChaincodeSupport) Served(ctx context.Context) context.Context {
	return context.WithValue(ctx, servedBy{}, cs)
}

// Events are the names of all that happens to an instance.
func Events() []string {
	var names []string
	for e := registers; e <= nothingLeft; e++ {
		names = append(names, e.String())
	}
	return names
}

// Phases are the names of an instance's phases.
func Phases() []string {
	var names []string
	for p := launching; p <= gone; p++ {
		names = append(names, p.String())
	}
	return names
}

// InstanceDiagram draws what changes an instance's phase.
func InstanceDiagram() string {
	arrows := []diagram.Arrow{{To: launching.String()}}
	for from := launching; from <= gone; from++ {
		for e := registers; e <= nothingLeft; e++ {
			if to, legal := transitions[e][from]; legal && to != from {
				arrows = append(arrows, diagram.Arrow{From: from.String(), To: to.String(), Label: e.String()})
			}
		}
	}
	return diagram.Draw(append(arrows, diagram.Arrow{From: gone.String()}))
}

// Instance is one whose events the test makes happen.
type Instance struct {
	in *instance
	h  *handler.Handler
	// Stopped counts how often its runtime was stopped.
	Stopped int
}

// NewInstance returns an instance that is launching. h is what registers.
func NewInstance(h *handler.Handler) *Instance {
	i := &Instance{h: h}
	_, cancel := context.WithCancelCause(context.Background())
	i.in = newInstance("asset:1", func(cause error) { i.Stopped++; cancel(cause) }, func(LifecycleEvent) {})
	return i
}

// Happen makes an event happen. Its name is the cause of the end, if there is one.
func (i *Instance) Happen(name string) error {
	for e := registers; e <= nothingLeft; e++ {
		switch {
		case e.String() != name:
		case e == registers:
			return i.in.claim(i.h)
		default:
			return i.in.end(e, errors.New(name))
		}
	}
	return errors.Errorf("no event %q", name)
}

// Phase is the phase that the instance is in.
func (i *Instance) Phase() string { return i.in.phase.String() }

// State is what List shows.
func (i *Instance) State() State { return i.in.phase.state() }

// Launched says whether the launch has succeeded or failed, and why it failed.
func (i *Instance) Launched() (bool, error) { return closed(i.in.launched), i.in.ended().launch }

// Exited says whether nothing is left.
func (i *Instance) Exited() bool { return closed(i.in.exited) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
