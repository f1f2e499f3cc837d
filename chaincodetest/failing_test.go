package chaincodetest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/internal/golden"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// recorder is a testing.TB that notes how it was failed, and fails nothing.
type recorder struct {
	testing.TB
	name string

	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Name() string      { return r.name }
func (r *recorder) Output() io.Writer { return io.Discard }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	goruntime.Goexit()
}

// record runs a test that should fail, and returns what it says.
func record(t *testing.T, name string, test func(testing.TB)) string {
	r := &recorder{TB: t, name: name}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	r.end()
	return strings.Join(r.said, "\n\n")
}

// end does what is done when a test has ended.
func (r *recorder) end() {
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

// failures are tests that fail. What they say is in testdata/failures, under their names.
var failures = map[string]func(testing.TB, *chaincodetest.Net, *chaincodetest.Client){
	"ok": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a2", "bob").OK()
	},
	"fails": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Fails("not yours")
	},
	"fails-otherwise": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a2", "bob").Fails("not yours")
	},
	"status": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a2", "bob").Status(404)
	},
	"returns": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Evaluate("basic", "Read", "a1").Returns(asset{"a1", 6, "alice"})
	},
	"fields": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Evaluate("basic", "Read", "a1").Returns(chaincodetest.Fields{"size": 6, "colour": "blue"})
	},
	"into": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		var n int
		alice.Evaluate("basic", "Read", "a1").Into(&n)
	},
	"event": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Event("Transfered")
	},
	"event-payload": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Event("Transferred", asset{"a1", 5, "carol"})
	},
	"event-none": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Delete", "a1").Event("Deleted")
	},
	"no-event": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").NoEvent()
	},
	"writes": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Writes("a1", asset{"a1", 5, "carol"})
	},
	"writes-other-key": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Owned", "alice", "a1").Writes("owner", "")
	},
	"writes-private": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Transient("price", 7).Submit("basic", "Private", "a1").WritesPrivate("secrets", "a1", "8")
	},
	"writes-nothing": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "List").WritesNothing()
	},
	"deletes": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Deletes("a1")
	},
	"reads": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").Reads("bob")
	},
	"calls": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Deploy("token", chaincodetest.InProcess(new(assets)))
		alice.Submit("basic", "Call", "token", "Echo", "x").Calls("token", "Pay")
	},
	"callee-fails": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Deploy("token", chaincodetest.InProcess(new(assets)))
		alice.Submit("basic", "Call", "token", "Read", "t1").OK()
	},
	"code": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		tx := alice.Simulate("basic", "Transfer", "a1", "bob")
		alice.Submit("basic", "Transfer", "a1", "carol").OK()
		net.Commit(tx)
		tx.Code(0)
	},
	"unasked": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a2", "bob")
	},
	"random-write": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Random").OK()
	},
	"counter": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Count").OK()
	},
	"panic": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Panic", "a1")
	},
	"exit": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Exit")
	},
	"not-deployed": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basics", "Read", "a1")
	},
	"nil-argument": func(_ testing.TB, _ *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Read", nil)
	},
	"odd-attributes": func(_ testing.TB, net *chaincodetest.Net, _ *chaincodetest.Client) {
		net.As("bob@Org1MSP", "role")
	},
	"fault": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Inject(chaincodetest.Fault{Request: "PUT_STATE", Fail: "the disk is full"})
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
	},
	"state": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
		alice.Submit("basic", "Create", "a2", 5).OK()
		net.State("basic", "a1").Is(chaincodetest.Fields{"owner": "carol"})
	},
	"state-absent": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Delete", "a1").OK()
		net.State("basic", "a1").Is("v")
	},
	"state-unwritten": func(_ testing.TB, net *chaincodetest.Net, _ *chaincodetest.Client) {
		net.State("basic", "a7").Is("v")
	},
	"private": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
		net.Private("basic", "secrets", "a1").Absent()
	},
	"dump": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
		net.DumpIs("testdata/state.json")
	},
	"commit-evaluated": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Commit(alice.Evaluate("basic", "Read", "a1"))
	},
	"fault-never": func(_ testing.TB, net *chaincodetest.Net, _ *chaincodetest.Client) {
		net.Inject(chaincodetest.Fault{Request: "DEL_STATE", Lose: true})
	},
	"commit-fault": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Inject(chaincodetest.Fault{Commit: true, Fail: "the disk is full"})
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
	},
	"deploy": func(_ testing.TB, net *chaincodetest.Net, _ *chaincodetest.Client) {
		net.Deploy("stranger", chaincodetest.InProcess(new(assets)), chaincodetest.ChaincodeID("x"))
		net.Deploy("other", chaincodetest.ChaincodeFunc(func(chaincodetest.Host) (runtime.Runtime, error) {
			return inproc.Runtime(func(_ context.Context, _ string, s pb.ClientStream) error {
				return shim.Chat(s, shim.Config{ChaincodeID: "somebody"}, new(assets))
			}), nil
		}), chaincodetest.ChaincodeID("y"))
	},
	"lost": func(_ testing.TB, net *chaincodetest.Net, alice *chaincodetest.Client) {
		net.Inject(chaincodetest.Fault{Request: "GET_STATE", Lose: true})
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
	},
}

// places are what differs from machine to machine.
var places = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\t\S*/(chaincodetest/\S+\.go):\d+ \+0x[0-9a-f]+`), "\t$1"},
	{regexp.MustCompile(`\(0x[0-9a-f]+\??(, [^)]*)?\)|\(\{0x[^\n]*\)`), "(…)"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "<txid>"},
}

func TestFailures(t *testing.T) {
	for name, test := range failures {
		t.Run(name, func(t *testing.T) {
			said := record(t, name, func(tb testing.TB) {
				net, alice := newNet(tb)
				alice.Submit("basic", "Create", "a1", 5).OK()
				test(tb, net, alice)
			})
			for _, p := range places {
				said = p.re.ReplaceAllString(said, p.with)
			}
			file := filepath.Join("testdata", "failures", name+".txt")
			if golden.Update() {
				if err := os.WriteFile(file, []byte(said+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal([]byte(said+"\n"), want) {
				t.Errorf("it says\n%s\nwant\n%s\n-update accepts it", said, want)
			}
		})
	}
}
