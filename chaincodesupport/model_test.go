package chaincodesupport_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	modelSteps = flag.Int("model", 10_000, "how many steps the reference model takes")
	modelSeed  = flag.Uint64("model.seed", 0, "the seed of the reference model's steps; 0: another one each time")
)

// The registry's model is what docs/architecture.md and docs/faults.md say of one chaincode's instances, written without looking
// at the registry. It is one goroutine, in which each step is over before the next one begins.

// modelPhase is what is left of a chaincode.
type modelPhase string

const (
	phaseNothing    modelPhase = "nothing of it"
	phaseLaunching  modelPhase = "launching"
	phaseRegistered modelPhase = "registered" // READY has not been sent
	phaseReady      modelPhase = "ready"
	phaseEnding     modelPhase = "ending" // its runtime takes its time
)

// modelStartup is how long a launch may take.
const modelStartup = time.Second

// modelRun is a call of Run.
type modelRun struct {
	exits chan error    // has it return this
	gone  chan struct{} // closed: it returns when its context has ended
}

// modelStream is a stream of somebody who says to be the chaincode.
type modelStream struct {
	*pipe.Chaincode
	release chan struct{} // closed: READY can be sent
	over    chan struct{} // closed when the peer is done with it
	ended   chan error
}

// gatedReady is the peer's end of a stream whose READY takes its time.
type gatedReady struct {
	pb.Stream
	s *modelStream
}

func (g gatedReady) Send(m *msg) error {
	if m.Type == pb.ChaincodeMessage_READY {
		select {
		case <-g.s.release:
		case <-g.s.over:
			return io.EOF
		}
	}
	return g.Stream.Send(m)
}

// registryModel is the oracle, and drives what it is compared with.
type registryModel struct {
	t  *testing.T
	cs *chaincodesupport.ChaincodeSupport

	phase    modelPhase
	external bool         // it has connected by itself
	owner    *modelStream // that it has registered on, since the instance began
	run      *modelRun    // of its runtime
	runs     int          // that there have been
	want     int          // that there should have been

	dev      bool           // whoever comes by itself is accepted
	lingers  bool           // runtimes that are started take their time to end
	streams  []*modelStream // that are open, the oldest first
	launches []chan error   // that have not returned
	stops    []chan error
}

// registryOps are the steps, and how often each is taken.
var registryOps = []struct {
	name   string
	weight int
	do     func(m *registryModel, n int) error
}{
	{"launch", 12, (*registryModel).launch},
	{"connect", 12, (*registryModel).connect},
	{"REGISTER", 16, (*registryModel).register},
	{"READY is sent", 10, (*registryModel).ready},
	{"leave", 6, (*registryModel).leave},
	{"runtime returns", 4, (*registryModel).exit},
	{"stop", 3, (*registryModel).stop},
	{"runtimes linger, or don't any more", 3, func(m *registryModel, _ int) error { m.lingers = !m.lingers; return m.check() }},
	{"nothing is left", 8, (*registryModel).vanish},
	{"time is up", 2, (*registryModel).expire},
}

// registryStep is one step. n chooses a stream.
type registryStep struct{ op, n int }

func (s registryStep) String() string { return fmt.Sprintf("%s %d", registryOps[s.op].name, s.n) }

// start is what the runtime does.
func (m *registryModel) start(ctx context.Context, _ string, _ runtime.StreamHandler) error {
	r := &modelRun{exits: make(chan error, 1), gone: make(chan struct{})}
	if !m.lingers {
		close(r.gone)
	}
	m.run = r
	m.runs++
	select {
	case err := <-r.exits:
		return err
	case <-ctx.Done():
		<-r.gone
		return nil
	}
}

// begin is the begin of a launch.
func (m *registryModel) begin() {
	m.phase, m.owner, m.external = phaseLaunching, nil, false
	m.want++
}

func (m *registryModel) launch(int) error {
	done := make(chan error, 1)
	go func() { done <- m.cs.Launch(m.t.Context(), "asset:1") }()
	m.launches = append(m.launches, done)
	switch m.phase {
	case phaseNothing:
		m.begin()
	case phaseReady:
		return m.launched("")
	}
	return m.check()
}

// launched makes sure that all launches return, with an error that begins with a text or, if that is empty, without one.
func (m *registryModel) launched(text string) error {
	if err := m.returned(text); err != nil {
		return err
	}
	return m.check()
}

func (m *registryModel) returned(text string) error {
	synctest.Wait()
	for _, l := range m.launches {
		select {
		case err := <-l:
			if text == "" && err != nil || text != "" && (err == nil || !strings.HasPrefix(err.Error(), text)) {
				return errors.Errorf("Launch: %v, want %q", err, text)
			}
		default:
			return errors.Errorf("Launch has not returned, want %q", text)
		}
	}
	m.launches = nil
	return nil
}

func (m *registryModel) connect(int) error {
	if len(m.streams) == 3 {
		return nil
	}
	p, c := pipe.New()
	s := &modelStream{Chaincode: c, release: make(chan struct{}), over: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		err := m.cs.Register(dialled{Stream: gatedReady{p, s}, ctx: m.cs.Served(m.t.Context())})
		p.End(err)
		close(s.over)
		s.ended <- err
	}()
	m.streams = append(m.streams, s)
	return m.check()
}

// pick returns a stream that is open, or nil.
func (m *registryModel) pick(n int) *modelStream {
	if len(m.streams) == 0 {
		return nil
	}
	return m.streams[n%len(m.streams)]
}

// register has a stream send REGISTER. The first one is accepted that comes when a launch waits for it or, in dev mode, when
// nothing is there. Nobody else is disturbed.
func (m *registryModel) register(n int) error {
	s := m.pick(n)
	if s == nil {
		return nil
	}
	if err := s.Send(registration("asset:1")); err != nil {
		return err
	}
	switch {
	case s == m.owner: // again
		if err := m.closed(s, codes.InvalidArgument); err != nil {
			return err
		}
		return m.end(registrationEnded)
	case m.phase == phaseNothing && m.dev:
		m.phase, m.external, m.owner = phaseRegistered, true, s
	case m.phase == phaseLaunching:
		m.phase, m.owner = phaseRegistered, s
	case m.phase == phaseNothing, m.phase == phaseEnding && m.owner == nil: // which comes too late
		return m.refused(s, codes.PermissionDenied)
	default:
		return m.refused(s, codes.AlreadyExists)
	}
	return m.check()
}

const registrationEnded = "chaincode registration failed: "

// closed makes sure that a stream has ended, with a status.
func (m *registryModel) closed(s *modelStream, code codes.Code) error {
	synctest.Wait()
	select {
	case err := <-s.ended:
		if status.Code(err) != code {
			return errors.Errorf("a stream has ended with %v, want %s", err, code)
		}
	default:
		return errors.Errorf("a stream goes on, want its end with %s", code)
	}
	m.streams = slices.DeleteFunc(m.streams, func(other *modelStream) bool { return other == s })
	return nil
}

// refused makes sure that a stream has ended, and nothing else.
func (m *registryModel) refused(s *modelStream, code codes.Code) error {
	if err := m.closed(s, code); err != nil {
		return err
	}
	return m.check()
}

// end is the end of an instance, by whatever. Its launches fail with a text that begins so.
func (m *registryModel) end(text string) error {
	if m.phase == phaseReady {
		text = ""
	}
	m.phase = phaseEnding
	if m.external || isClosed(m.run.gone) {
		m.phase = phaseNothing
	}
	if slices.Contains(m.streams, m.owner) { // it hasn't ended by itself
		if err := m.closed(m.owner, codes.Unavailable); err != nil {
			return err
		}
	}
	if len(m.launches) > 0 {
		if err := m.returned(text); err != nil {
			return err
		}
	}
	return m.left()
}

// left is for an instance that has ended. If nothing is left of it, whoever stops it is told.
func (m *registryModel) left() error {
	synctest.Wait()
	if m.phase == phaseNothing {
		m.owner = nil
		for _, stop := range m.stops {
			select {
			case err := <-stop:
				if err != nil {
					return errors.Errorf("Stop: %v", err)
				}
			default:
				return errors.New("Stop has not returned")
			}
		}
		m.stops = nil
		if len(m.launches) > 0 { // they have waited for that
			m.begin()
		}
	}
	return m.check()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (m *registryModel) ready(int) error {
	if m.phase != phaseRegistered {
		return nil
	}
	close(m.owner.release)
	m.phase = phaseReady
	return m.launched("")
}

func (m *registryModel) leave(n int) error {
	s := m.pick(n)
	if s == nil {
		return nil
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := m.closed(s, codes.OK); err != nil {
		return err
	}
	if s == m.owner {
		return m.end(registrationEnded)
	}
	return m.check()
}

func (m *registryModel) exit(int) error {
	if m.external || m.phase != phaseLaunching && m.phase != phaseRegistered && m.phase != phaseReady {
		return nil
	}
	m.run.exits <- errors.New("out of order")
	if !isClosed(m.run.gone) {
		close(m.run.gone)
	}
	return m.end(registrationEnded + "out of order")
}

func (m *registryModel) stop(int) error {
	done := make(chan error, 1)
	go func() { done <- m.cs.Stop(m.t.Context(), "asset:1") }()
	m.stops = append(m.stops, done)
	if m.phase == phaseNothing || m.phase == phaseEnding {
		return m.left()
	}
	return m.end("chaincode asset:1 was stopped")
}

// vanish has a runtime return that takes its time.
func (m *registryModel) vanish(int) error {
	if m.phase != phaseEnding {
		return nil
	}
	close(m.run.gone)
	m.phase = phaseNothing
	return m.left()
}

func (m *registryModel) expire(int) error {
	<-time.After(modelStartup + time.Millisecond)
	const text = "timeout expired while starting chaincode asset:1 for transaction"
	switch {
	case m.phase == phaseLaunching, m.phase == phaseRegistered && !m.external:
		return m.end(text)
	case m.phase == phaseEnding:
		return m.launched(text + ": an earlier run of it has not ended")
	}
	return m.check()
}

// check compares what can be seen from outside.
func (m *registryModel) check() error {
	synctest.Wait()
	state := chaincodesupport.Stopped
	for _, s := range m.cs.List() {
		state = s.State
	}
	want := map[modelPhase]chaincodesupport.State{
		phaseNothing: chaincodesupport.Stopped, phaseLaunching: chaincodesupport.Launching, phaseRegistered: chaincodesupport.Launching,
		phaseReady: chaincodesupport.Ready, phaseEnding: chaincodesupport.Ending,
	}[m.phase]
	switch {
	case state != want:
		return errors.Errorf("it is %s, want %s", state, want)
	case m.runs != m.want:
		return errors.Errorf("it was started %d times, want %d", m.runs, m.want)
	}
	for _, waiting := range slices.Concat(m.launches, m.stops) {
		if len(waiting) > 0 {
			return errors.Errorf("Launch or Stop has returned %v", <-waiting)
		}
	}
	for i, s := range m.streams {
		if len(s.ended) > 0 {
			return errors.Errorf("stream %d has ended with %v", i, <-s.ended)
		}
	}
	return nil
}

// playRegistry does the steps, and returns the first difference and how many steps led to it.
func playRegistry(t *testing.T, dev bool, steps []registryStep) (n int, failure error) {
	synctest.Test(t, func(t *testing.T) {
		m := &registryModel{t: t, phase: phaseNothing, dev: dev}
		cfg := chaincodesupport.Config{Runtimes: always(runFunc(m.start)), DevMode: dev, StartupTimeout: modelStartup, StopTimeout: time.Hour}
		cfg.Limits = handler.Limits{RegisterTimeout: 10_000 * time.Hour, SendTimeout: 10_000 * time.Hour}
		m.cs = newSupport(t, cfg)
		for n = 0; n < len(steps) && failure == nil; n++ {
			failure = registryOps[steps[n].op].do(m, steps[n].n)
		}
		m.lingers = false
		if m.run != nil && !isClosed(m.run.gone) {
			close(m.run.gone)
		}
	})
	return n, failure
}

// I5, I6, F16, F17, F62, F63, F64: whoever registers, leaves, launches and stops in whatever order, the registry does what the
// model says, step by step.
func TestRegistryModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	var ops []int
	for i, op := range registryOps {
		ops = append(ops, slices.Repeat([]int{i}, op.weight)...)
	}
	const length = 100
	for done, round := 0, uint64(0); done < *modelSteps; done, round = done+length, round+1 {
		r := rand.New(rand.NewPCG(seed, round))
		steps := make([]registryStep, length)
		for i := range steps {
			steps[i] = registryStep{ops[r.IntN(len(ops))], r.IntN(3)}
		}
		dev := round%2 == 1
		if n, err := playRegistry(t, dev, steps); err != nil {
			steps = shrinkRegistry(t, dev, steps[:n])
			_, err = playRegistry(t, dev, steps)
			t.Fatalf("-model.seed %d, round %d, dev mode %t: %v, after %v", seed, round, dev, err, steps)
		}
	}
}

// shrinkRegistry leaves out what the failure doesn't need.
func shrinkRegistry(t *testing.T, dev bool, steps []registryStep) []registryStep {
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(steps); {
			fewer := slices.Delete(slices.Clone(steps), at, at+size)
			if n, err := playRegistry(t, dev, fewer); err != nil {
				steps = fewer[:n]
			} else {
				at += size
			}
		}
	}
	return steps
}
