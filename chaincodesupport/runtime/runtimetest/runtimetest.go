// Package runtimetest tests a runtime. [Run] is the suite that every runtime should pass, including your own.
//
// The suite is the peer. It asks the fixture for a Runtime, runs it, talks with the chaincode that comes, and looks at what
// is left when that has ended. The chaincode is the suite's as well. It is [Talk], for which the fixture finds a stream, or
// [Dial], in a process or a container that the Runtime starts. So a fixture is short, and often the test binary itself plays
// the chaincode:
//
//	func TestMain(m *testing.M) {
//		if id := os.Getenv("CORE_CHAINCODE_ID_NAME"); id != "" {
//			fmt.Fprintln(os.Stderr, runtimetest.Dial(context.Background(), os.Getenv("CORE_PEER_ADDRESS"), id))
//			os.Exit(1)
//		}
//		os.Exit(m.Run())
//	}
package runtimetest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// patience is how long the suite waits for what must happen.
const patience = 30 * time.Second

// Fixture is a kind of Runtime to test.
type Fixture struct {
	// IDs are the IDs of two chaincodes. If they are empty, they are asset:1 and market:1.
	IDs [2]string
	// New returns a Runtime for a chaincode that does what Talk does, and finds the peer at peerAddress (host:port, in
	// plaintext). You may return one Runtime for both chaincodes. Release what else it needs by t.Cleanup. Required.
	New func(t testing.TB, chaincodeID, peerAddress string) runtime.Runtime
	// NewBroken returns a Runtime for a chaincode that can't be started, or can't be reached. Required.
	NewBroken func(t testing.TB, chaincodeID, peerAddress string) runtime.Runtime
	// Handles says that the Runtime makes the stream itself, for example by dialling, and calls the StreamHandler. Otherwise
	// its chaincode dials the peer, and the StreamHandler must not be called.
	Handles bool
	// Texts are what Run's errors say.
	Texts Texts
}

// Texts are texts that must be in the error that Run returns when it was not told to end. An empty one skips the test,
// because a Runtime may not learn how its chaincode ends.
type Texts struct {
	// Leaves is for a chaincode that ends in good order. Fails is for one that ends with an error, and Panics for one that
	// panics.
	Leaves, Fails, Panics string
	// Broken is for the chaincode of NewBroken.
	Broken string
}

// Run tests that a Runtime does what package runtime says. Other tests that run at the same time must not start goroutines,
// because the suite looks for goroutines that are left.
func Run(t *testing.T, f Fixture) {
	for i, id := range [2]string{"asset:1", "market:1"} {
		if f.IDs[i] == "" {
			f.IDs[i] = id
		}
	}
	for _, test := range []struct {
		name string
		skip bool
		run  func(s *suite)
	}{
		{"stops with its context", false, testStops},
		{"does not start under an ended context", false, testEndedContext},
		{"runs again", false, testAgain},
		{"runs two chaincodes side by side", false, testSideBySide},
		{"chaincode leaves", f.Texts.Leaves == "", endsBy("leave", f.Texts.Leaves)},
		{"chaincode fails", f.Texts.Fails == "", endsBy("fail", f.Texts.Fails)},
		{"chaincode panics", f.Texts.Panics == "", endsBy("panic", f.Texts.Panics)},
		{"chaincode is broken", false, testBroken},
		{"handler refuses", !f.Handles, testHandlerRefuses},
		{"handler ends in good order", !f.Handles, testHandlerEnds},
		{"handler panics", !f.Handles, testHandlerPanics},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.skip {
				t.Skip("a runtime of this kind has no part in it")
			}
			test.run(&suite{T: t, fixture: f, peer: newPeer(t)})
		})
	}
}

// suite is one test.
type suite struct {
	*testing.T
	fixture Fixture
	peer    *peer
}

// runtime returns a Runtime for one of the two chaincodes.
func (s *suite) runtime(i int) runtime.Runtime {
	s.Helper()
	return s.fixture.New(s, s.fixture.IDs[i], s.peer.address)
}

// wantNothingLeft returns a function that checks that no goroutine was started since and is left.
func (s *suite) wantNothingLeft() func() {
	before := goleak.IgnoreCurrent()
	return func() {
		s.Helper()
		goleak.VerifyNone(s, before)
	}
}
