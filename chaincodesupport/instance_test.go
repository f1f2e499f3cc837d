package chaincodesupport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/golden"
	"github.com/ccpeer/ccpeer/internal/pipe"
)

// life is what must become of an instance: in each phase (a column) by each event (a row). "-" is illegal, "." changes
// nothing.
const life = `
                  launching   registered  ready   ending  gone
REGISTER          registered  -           -       -       -
READY sent        -           ready       -       .       .
stream refused    ending      .           .       .       .
stream ended      -           ending      ending  .       .
start-up timeout  ending      ending      .       .       .
stop              ending      ending      ending  .       .
runtime returned  ending      ending      ending  .       -
nothing left      -           -           -       gone    -
`

// waysTo are the events that lead a new instance into a phase, in each way that there is.
var waysTo = map[string][]string{
	"launching":  {""},
	"registered": {"REGISTER"},
	"ready":      {"REGISTER, READY sent"},
	"ending":     {"stop", "stream refused", "REGISTER, start-up timeout", "REGISTER, READY sent, stream ended"},
	"gone":       {"runtime returned, nothing left", "REGISTER, READY sent, runtime returned, nothing left"},
}

func TestInstance(t *testing.T) {
	rows := strings.Split(strings.Trim(life, "\n"), "\n")
	phases := strings.Fields(rows[0])
	if !slices.Equal(phases, chaincodesupport.Phases()) || len(rows)-1 != len(chaincodesupport.Events()) {
		t.Fatalf("the table has phases %q and %d events, want %q and %q", phases, len(rows)-1, chaincodesupport.Phases(), chaincodesupport.Events())
	}
	h := anyHandler(t)
	for i, event := range chaincodesupport.Events() {
		cells, found := strings.CutPrefix(rows[i+1], event+"  ")
		if !found {
			t.Fatalf("row %d of the table is %q, want event %q", i+1, rows[i+1], event)
		}
		for j, want := range strings.Fields(cells) {
			for _, way := range waysTo[phases[j]] {
				t.Run(phases[j]+"/"+way+"/"+event, func(t *testing.T) { inPhase(t, h, phases[j], way, event, want) })
			}
		}
	}
}

// inPhase makes an event happen to an instance that has come to a phase in some way.
func inPhase(t *testing.T, h *handler.Handler, phase, way, event, want string) {
	t.Helper()
	in := chaincodesupport.NewInstance(h)
	for _, e := range strings.Split(way, ", ") {
		if e == "" {
			continue
		}
		if err := in.Happen(e); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
	}
	if in.Phase() != phase {
		t.Fatalf("it is %s", in.Phase())
	}
	before := describe(in)
	err := in.Happen(event)
	if (err != nil) != (want == "-") {
		t.Errorf("error %v", err)
	}
	if want == "-" || want == "." {
		if after := describe(in); after != before {
			t.Errorf("it was %s, and is %s", before, after)
		}
		return
	}
	if in.Phase() != want {
		t.Errorf("it is %s, want %s", in.Phase(), want)
	}
	wantConsistent(t, in)
	if _, failure := in.Launched(); want == "ending" && (failure != nil) != (phase != "ready") {
		t.Errorf("the launch's failure is %v", failure)
	}
}

func describe(in *chaincodesupport.Instance) string {
	launched, failure := in.Launched()
	return fmt.Sprint(in.Phase(), launched, failure, in.Exited(), in.Stopped)
}

// wantConsistent checks that an instance has what belongs to its phase, and nothing else.
func wantConsistent(t *testing.T, in *chaincodesupport.Instance) {
	t.Helper()
	over := in.Phase() == "ending" || in.Phase() == "gone"
	launched, failure := in.Launched()
	if launched != (over || in.Phase() == "ready") || failure != nil && !over {
		t.Errorf("%s: launched %v, with %v", in.Phase(), launched, failure)
	}
	if in.Exited() != (in.Phase() == "gone") {
		t.Errorf("%s: exited %v", in.Phase(), in.Exited())
	}
	if over && in.Stopped != 1 || !over && in.Stopped != 0 {
		t.Errorf("%s: its runtime was stopped %d times", in.Phase(), in.Stopped)
	}
	want := map[string]chaincodesupport.State{
		"launching": chaincodesupport.Launching, "registered": chaincodesupport.Launching, "ready": chaincodesupport.Ready,
		"ending": chaincodesupport.Ending, "gone": chaincodesupport.Stopped,
	}
	if got := in.State(); got != want[in.Phase()] {
		t.Errorf("%s: List shows %s", in.Phase(), got)
	}
}

// catches is a registry that tells of what registers.
type catches chan *handler.Handler

func (c catches) Register(h *handler.Handler) error { c <- h; return nil }
func (catches) Ready(*handler.Handler)              {}
func (catches) Deregister(*handler.Handler)         {}

// anyHandler returns a handler whose stream ends with the test.
func anyHandler(t *testing.T) *handler.Handler {
	t.Helper()
	c := make(catches, 1)
	p, chaincode := pipe.New()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.End(handler.HandleChaincodeStream(t.Context(), handler.Config{Registry: c}, p))
	}()
	if err := chaincode.Send(registration("asset:1")); err != nil {
		t.Fatal(err)
	}
	h := <-c
	t.Cleanup(func() {
		h.Close()
		<-ended
		h.Wait()
	})
	return h
}

// The diagram in docs/architecture.md is the one of the table; -update writes it.
func TestInstanceDiagram(t *testing.T) {
	golden.Block(t, "../docs/architecture.md", "instance diagram", chaincodesupport.InstanceDiagram())
}
