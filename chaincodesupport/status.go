package chaincodesupport

import (
	"cmp"
	"slices"
	"time"

	"github.com/ccpeer/ccpeer/handler"
)

// State is what a chaincode is doing.
type State uint8

// The states of a chaincode, as List shows them.
const (
	// Stopped: nothing of the chaincode is running. The next call launches it.
	Stopped State = iota
	// Launching: the chaincode has been started, and is not READY yet.
	Launching
	// Ready: transactions run on the chaincode.
	Ready
	// Ending: the stream has ended or the launch has failed, but something of the chaincode is still running.
	Ending
	// Restarting: the chaincode has ended, and its RestartPolicy will launch it again.
	Restarting
)

// String returns the state in one lower-case word.
func (s State) String() string {
	names := [...]string{"stopped", "launching", "ready", "ending", "restarting"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Status says what a chaincode is doing, and how it has fared.
type Status struct {
	ChaincodeID string
	State       State
	// Since is when the chaincode came into that state.
	Since time.Time
	// External says that this peer has not launched the chaincode: it has connected by itself in dev mode.
	External bool
	// Restarts is how often the chaincode was launched again after it had ended, or had failed to start, without having been
	// asked to.
	Restarts int
	// Stats are the figures of its handler, such as how many of its transactions are running. They are zero before it has
	// registered, and after nothing of it is left.
	handler.Stats
	// LastError is why it last ended, or failed to start, without having been asked to. It is nil if that has never
	// happened.
	LastError error
}

// List returns the status of each chaincode, in the order of their IDs. It lists those that have been launched since New,
// and those that have connected in dev mode and are still there. When there are very many, some that are not running may be
// left out.
func (cs *ChaincodeSupport) List() []Status {
	var list []Status
	for _, d := range cs.instances.list() {
		if d.handler != nil {
			d.Stats = d.handler.Stats()
		}
		list = append(list, d.Status)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.ChaincodeID, b.ChaincodeID) })
	return list
}

// described is the status of a chaincode without its handler's figures. No lock must be held when those are asked for.
type described struct {
	Status
	handler *handler.Handler // or nil
}

func (r *instances) list() []described {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []described
	add := func(s Status, in *instance) {
		d := described{Status: s}
		if in != nil {
			in.describe(&d)
		}
		list = append(list, d)
	}
	for id, rec := range r.records {
		s := Status{ChaincodeID: id, State: rec.state(), Since: rec.since, Restarts: rec.restarts, LastError: rec.lastError}
		add(s, r.running[id])
	}
	for id, in := range r.running {
		if r.records[id] == nil {
			add(Status{ChaincodeID: id}, in)
		}
	}
	return list
}

// describe adds what is to be said of a run.
func (in *instance) describe(d *described) {
	in.mu.Lock()
	defer in.mu.Unlock()
	d.State, d.Since, d.External, d.handler = in.phase.state(), in.since, in.external, in.handler
}
