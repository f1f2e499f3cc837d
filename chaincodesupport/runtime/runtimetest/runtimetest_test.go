package runtimetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// faultVar names the fault of the runtime that TestFaulty runs the suite over.
const faultVar = "RUNTIMETEST_FAULT"

func TestMain(m *testing.M) {
	if os.Getenv(faultVar) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// function is a Runtime that is a function.
type function func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error

func (f function) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	return f(ctx, chaincodeID, handle)
}

// sound is a runtime that does what it should.
func sound() runtime.Runtime { return talking("") }

// talking is one whose chaincode has a prefix before its ID.
func talking(prefix string) runtime.Runtime {
	return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return runtimetest.Talk(s, prefix+chaincodeID)
	})
}

// faults are runtimes that are wrong in one way, and what the suite says of them.
func faults() map[string]struct {
	runtime runtime.Runtime
	says    string
} {
	var runs atomic.Int32
	return map[string]struct {
		runtime runtime.Runtime
		says    string
	}{
		"takes another name": {talking("my-"), `the chaincode registered as "my-asset:1", want "asset:1"`},
		"returns too early": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			go func() { _ = sound().Run(context.Background(), chaincodeID, handle) }()
			<-ctx.Done()
			return nil
		}), "Run has returned, and the chaincode's stream goes on"},
		"hides how it ended": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			var notStarted *runtime.StartError
			if err := sound().Run(ctx, chaincodeID, handle); errors.As(err, &notStarted) {
				return err
			}
			return nil
		}), `Run: <nil>, want an error that says "no such database"`},
		"calls a stop an error": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			return errors.WithMessage(errors.New("stopped"), errorText(sound().Run(ctx, chaincodeID, handle)))
		}), "want nil as its context had ended"},
		"starts in vain": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // which is what is wrong with it
			}
			return sound().Run(ctx, chaincodeID, handle)
		}), "want a StartError for the context's end"},
		"runs once": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			if ctx.Err() == nil && runs.Add(1) > 2 { // the first is another test's
				return errors.New("worn out")
			}
			return sound().Run(ctx, chaincodeID, handle)
		}), "Run returned before the chaincode had registered: worn out"},
		"leaves something": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
			go func() { select {} }()
			return sound().Run(ctx, chaincodeID, handle)
		}), "found unexpected goroutines"},
		"swallows a panic": {function(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) (err error) {
			defer func() { _ = recover() }()
			return sound().Run(ctx, chaincodeID, handle)
		}), "want the handler's panic"},
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// TestFaulty fails: it is for TestSuiteFinds.
func TestFaulty(t *testing.T) {
	fault, ok := faults()[os.Getenv(faultVar)]
	if !ok {
		t.Skip("run by TestSuiteFinds")
	}
	runtimetest.Run(t, runtimetest.Fixture{
		Handles:   true,
		New:       func(testing.TB, string, string) runtime.Runtime { return fault.runtime },
		NewBroken: func(testing.TB, string, string) runtime.Runtime { return inproc.Runtime(nil) },
		Texts:     runtimetest.Texts{Fails: "no such database"},
	})
}

// What is wrong with a runtime, the suite says. It is run in a process of its own, as it is to fail.
func TestSuiteFinds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestFaulty$", "-test.failfast")
			cmd.Env = append(os.Environ(), faultVar+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), fault.says) {
				t.Errorf("the suite ends with %v, and does not say %q:\n%.3000s", err, fault.says, out)
			}
		})
	}
}
