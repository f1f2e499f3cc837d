package guard_test

import (
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodetest/internal/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCall(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      func()
		value  any
		exited bool
	}{
		{"returns", func() {}, nil, false},
		{"panics", func() { panic("no") }, "no", false},
		{"exits", runtime.Goexit, nil, true},
	} {
		fall := guard.Call(c.f)
		if (fall == nil) != (c.name == "returns") {
			t.Errorf("%s: %+v", c.name, fall)
			continue
		}
		if fall != nil && (fall.Value != c.value || fall.Exited != c.exited || !strings.Contains(string(fall.Stack), "guard.Call")) {
			t.Errorf("%s: %+v", c.name, fall)
		}
	}
}

// A panic with nil is a panic, too.
func TestNilPanic(t *testing.T) {
	if fall := guard.Call(func() { panic(nil) }); fall == nil || fall.Exited {
		t.Errorf("%+v", fall)
	}
}
