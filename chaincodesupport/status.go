package chaincodesupport

import (
	"cmp"
	"slices"
	"time"
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
	// InFlight is how many of its transactions are running.
	InFlight int
	// LastError is why it last ended, or failed to start, without having been asked to. Nil: it never did.
	LastError error
}

// List returns the chaincodes that have been launched since New, and those that have connected in dev mode and are
// there, by chaincode ID. Those that never were launched successfully and were stopped may be left out when they are
// very many.
func (cs *ChaincodeSupport) List() []Status {
	list := cs.instances.list()
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.ChaincodeID, b.ChaincodeID) })
	return list
}

func (r *instances) list() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Status, 0, len(r.records)+len(r.running))
	for id, rec := range r.records {
		s := Status{ChaincodeID: id, State: rec.state(), Since: rec.since, Restarts: rec.restarts, LastError: rec.lastError}
		if in := r.running[id]; in != nil {
			in.describe(&s)
		}
		list = append(list, s)
	}
	for id, in := range r.running {
		if r.records[id] == nil {
			s := Status{ChaincodeID: id}
			in.describe(&s)
			list = append(list, s)
		}
	}
	return list
}

// describe adds to s what there is to say of a run.
func (in *instance) describe(s *Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.State, s.Since, s.External = in.phase.state(), in.since, in.external
	if in.handler != nil {
		s.InFlight = in.handler.Stats().InFlight
	}
}
