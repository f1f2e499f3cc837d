package chaincodesupport

import (
	"cmp"
	"slices"
	"time"

	"github.com/ccpeer/ccpeer/handler"
)

// State is what a chaincode is doing.
type State uint8

// The states of a chaincode, as List has them.
const (
	// Stopped is a chaincode of which nothing is running. The next call launches it.
	Stopped State = iota
	// Launching is one that has been started and isn't READY.
	Launching
	// Ready is one that transactions run on.
	Ready
	// Ending is one whose stream has ended, or whose launch has failed, and of which something is still running.
	Ending
	// Restarting is one that has ended, and that its RestartPolicy will launch again.
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

// Status says how a chaincode is.
type Status struct {
	ChaincodeID string
	State       State
	// Since is when the chaincode came into that state.
	Since time.Time
	// External is a chaincode that this peer has not launched: one that has connected in dev mode.
	External bool
	// Restarts is how often it was launched again after it had ended, or failed to start, without having been asked to.
	Restarts int
	// Stats are the figures of its handler, such as how many of its transactions are running. They are zero while it has
	// not registered, and when nothing of it is left.
	handler.Stats
	// LastError is why it last ended, or failed to start, without having been asked to. Nil: it never did.
	LastError error
}

// List returns how the chaincodes are, in the order of their IDs: those that have been launched since New, and those that
// have connected in dev mode and are still there. When there are very many, some that are not running may be left out.
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

// described is the status of a chaincode but for its handler's figures, for which no lock must be held.
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

// describe adds what there is to say of a run.
func (in *instance) describe(d *described) {
	in.mu.Lock()
	defer in.mu.Unlock()
	d.State, d.Since, d.External, d.handler = in.phase.state(), in.since, in.external, in.handler
}
