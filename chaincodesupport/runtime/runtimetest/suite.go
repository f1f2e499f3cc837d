package runtimetest

import (
	"context"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	pb "github.com/ccpeer/ccpeer/proto"
)

// running is a call of Run.
type running struct {
	s    *suite
	stop context.CancelFunc
	done chan error
	*chaincode
}

// launch calls Run, and waits until the chaincode has registered, under its ID.
func (s *suite) launch(rt runtime.Runtime, chaincodeID string) *running {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	r := &running{s: s, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- rt.Run(ctx, chaincodeID, s.peer.handle) }()
	select {
	case r.chaincode = <-s.peer.arrived:
	case err := <-r.done:
		s.Fatalf("Run returned before the chaincode had registered: %v", err)
	case <-time.After(patience):
		s.Fatal("the chaincode does not register")
	}
	if r.id != chaincodeID {
		s.Fatalf("the chaincode registered as %q, want %q", r.id, chaincodeID)
	}
	if handled := s.peer.handled.Load() > 0; handled != s.fixture.Handles {
		s.Errorf("the stream handler was called: %t, want %t", handled, s.fixture.Handles)
	}
	r.wantAnswer(s)
	return r
}

// returned waits for Run's end, and returns its error. By then the stream that Run has handled is over. If the chaincode has
// opened the stream, it ends because nobody is there any more.
func (r *running) returned() error {
	r.s.Helper()
	var err error
	select {
	case err = <-r.done:
	case <-time.After(patience):
		r.s.Fatal("Run does not return")
	}
	limit := patience
	if r.s.fixture.Handles {
		limit = 0
	}
	select {
	case <-r.gone:
		return err
	default:
	}
	select {
	case <-r.gone:
	case <-time.After(limit):
		r.s.Error("Run has returned, and the chaincode's stream goes on")
	}
	return err
}

// wantStopped ends the context, and checks that Run returns nil for that.
func (r *running) wantStopped() {
	r.s.Helper()
	r.stop()
	if err := r.returned(); err != nil {
		r.s.Errorf("Run: %v, want nil as its context had ended", err)
	}
}

func testStops(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	s.launch(rt, s.fixture.IDs[0]).wantStopped()
	check()
}

// testEndedContext checks that nothing is started if the context has ended already.
func testEndedContext(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := s.run(ctx, rt, s.peer.handle)
	var notStarted *runtime.StartError
	if !errors.As(err, &notStarted) || !errors.Is(err, context.Canceled) {
		s.Errorf("Run: %v, want a StartError for the context's end", err)
	}
	select {
	case c := <-s.peer.arrived:
		s.Errorf("%s has registered", c.id)
	default:
	}
	check()
}

func testAgain(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	for range 2 {
		s.launch(rt, s.fixture.IDs[0]).wantStopped()
	}
	check()
}

// Each goes its own way: one is stopped, and the other one still answers.
func testSideBySide(s *suite) {
	first, second := s.runtime(0), s.runtime(1)
	check := s.wantNothingLeft()
	a, b := s.launch(first, s.fixture.IDs[0]), s.launch(second, s.fixture.IDs[1])
	a.wantAnswer(s)
	b.wantAnswer(s)
	a.wantStopped()
	b.wantAnswer(s)
	b.wantStopped()
	check()
}

// endsBy returns a test of a chaincode that is told to end in some way. Run must return by itself, and say which way it was.
func endsBy(what, text string) func(s *suite) {
	return func(s *suite) {
		rt := s.runtime(0)
		check := s.wantNothingLeft()
		r := s.launch(rt, s.fixture.IDs[0])
		defer r.stop()
		r.say(s, what)
		s.wantError(r.returned(), text)
		check()
		s.launch(rt, s.fixture.IDs[0]).wantStopped() // it isn't the worse for it
		check()
	}
}

func (s *suite) wantError(err error, text string) {
	s.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		s.Errorf("Run: %v, want an error that says %q", err, text)
	}
}

func testBroken(s *suite) {
	rt := s.fixture.NewBroken(s, s.fixture.IDs[0], s.peer.address)
	check := s.wantNothingLeft()
	for range 2 { // a failure isn't kept
		_, err := s.run(s.Context(), rt, s.peer.handle)
		s.wantError(err, s.fixture.Texts.Broken)
	}
	if s.peer.handled.Load() > 0 {
		s.Error("the stream handler was called")
	}
	check()
}

// run calls Run under ctx. Run must return by itself. run returns what Run has panicked with, and its error.
func (s *suite) run(ctx context.Context, rt runtime.Runtime, handle runtime.StreamHandler) (panicked any, err error) {
	s.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		err = rt.Run(ctx, s.fixture.IDs[0], handle)
	}()
	select {
	case <-done:
		return panicked, err
	case <-time.After(patience):
		s.Fatal("Run does not return")
		return nil, nil
	}
}

// afterRegister returns a StreamHandler that does something as soon as the chaincode has registered.
func afterRegister(do func() error) runtime.StreamHandler {
	return func(_ context.Context, s pb.Stream) error {
		if _, err := registered(s); err != nil {
			return err
		}
		return do()
	}
}

func testHandlerRefuses(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	refused := errors.New("not today")
	_, err := s.run(s.Context(), rt, afterRegister(func() error { return refused }))
	if !errors.Is(err, refused) {
		s.Errorf("Run: %v, want the handler's error", err)
	}
	check()
}

func testHandlerEnds(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	if _, err := s.run(s.Context(), rt, afterRegister(func() error { return nil })); err != nil {
		s.Errorf("Run: %v, want nil as the handler returned nil", err)
	}
	check()
}

// A panic of the handler is its peer's to deal with: it isn't lost, and nothing is left of the chaincode.
func testHandlerPanics(s *suite) {
	rt := s.runtime(0)
	check := s.wantNothingLeft()
	panicked, err := s.run(s.Context(), rt, afterRegister(func() error { panic("peer") })) //nolint:forbidigo // which is tested
	if panicked != "peer" {
		s.Errorf("Run has panicked with %v, and returned %v, want the handler's panic", panicked, err)
	}
	check()
}
