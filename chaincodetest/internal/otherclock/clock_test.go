package otherclock_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodetest/internal/otherclock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ahead reads how far a clock is ahead.
func ahead(t *testing.T, file string) time.Duration {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) != 8 {
		t.Fatalf("the file has %v, %v", b, err)
	}
	return time.Duration(binary.NativeEndian.Uint64(b)) * time.Second
}

func TestForward(t *testing.T) {
	var c otherclock.Clock
	if back, err := c.Forward(); err != nil { // nobody looks
		t.Fatal(err)
	} else {
		back()
	}
	file, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.File(); again != file || err != nil {
		t.Errorf("the file is %s, %v", again, err)
	}
	first, err := c.Forward()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Forward()
	if err != nil {
		t.Fatal(err)
	}
	first()
	if got := ahead(t, file); got != otherclock.Ahead {
		t.Errorf("it is %v ahead", got)
	}
	second()
	if got := ahead(t, file); got != 0 {
		t.Errorf("afterwards it is %v ahead", got)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// A program for Node sees the time that the file says, by whatever name it asks for it, and else what it would see.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node")
	}
	var c otherclock.Clock
	file, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	env, err := otherclock.Node([]string{"A=b", "NODE_OPTIONS=--no-warnings"}, file)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Forward()
	if err != nil {
		t.Fatal(err)
	}
	defer back()
	const program = `
const day = (t) => new Date(t).toISOString().slice(0, 10);
class Mine extends Date {}
const mine = new Mine();
console.log([day(Date.now()), day(new Date()), day(Date()), day(mine)].join(' '));
console.log([new Date(5).getTime(), new Date(2020, 1, 2) < new Date(), new Date() instanceof Date, mine instanceof Mine, new Date().constructor === Date,
	Object.prototype.toString.call(new Date()), Date.UTC(1970, 0, 1), Date.length, Date.name, structuredClone(new Date(7)).getTime()].join(' '));`
	cmd := exec.CommandContext(t.Context(), node, "-e", program) //nolint:gosec // it is the test's
	cmd.Env = append(env, "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	day := time.Now().UTC().Add(otherclock.Ahead).Format(time.DateOnly)
	want := strings.Join([]string{day, day, day, day}, " ") + "\n5 true true true true [object Date] 0 7 Date 7\n"
	if string(out) != want {
		t.Errorf("it prints %s\nwant %s", out, want)
	}
}

func TestOverlayOfAnotherGo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no overlay for Windows")
	}
	goroot := t.TempDir()
	if _, err := otherclock.Overlay(goroot); !os.IsNotExist(err) {
		t.Errorf("without a package time, it says %v", err)
	}
	file := filepath.Join(goroot, "src", "time", "time.go")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("package time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := otherclock.Overlay(goroot); err == nil || !strings.Contains(err.Error(), "can't be put forward with this version of Go") {
		t.Errorf("it says %v", err)
	}
}
