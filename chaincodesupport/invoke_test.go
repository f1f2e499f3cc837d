package chaincodesupport_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// calls is a chaincode that calls the one in its first argument, on the channel in its second if there is one, and
// answers what it answered.
func calls(s stub) *shim.Response {
	args := append(s.GetStringArgs(), "", "")
	return s.InvokeChaincode(args[0], nil, args[1])
}

// keeper reads the key "k", answers the value and writes the transaction's ID.
func keeper(s stub) *shim.Response {
	value, err := s.GetState("k")
	if err == nil {
		err = s.PutState("k", []byte(s.GetTxID()))
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

func TestChaincodeCallsChaincode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"caller": calls, "keeper": keeper})
		n.wantResult("caller", "t1", 200, "", "keeper")
		n.wantResult("caller", "t2", 200, "t1", "keeper") // in the callee's namespace, within the caller's transaction
		n.wantResult("keeper", "t3", 200, "t2")
		n.wantResult("caller", "t4", 200, "t3", "keeper:7") // the version is obsolete
		n.wantResult("caller", "t5", 200, "t4", "keeper/ch1")
	})
}

// On another channel the callee has a simulator of its own, whose writes are not kept.
func TestCallOnAnotherChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"caller": calls, "keeper": keeper})
		n.wantResult("keeper", "t1", 200, "")
		for _, txID := range []string{"t2", "t3"} {
			n.wantResult("caller", txID, 200, "", "keeper", "ch2")
		}
		n.wantResult("caller", "t4", 200, "t1", "keeper")
		if c := n.watched["ch2"].Counts(); c.Simulators != 2 || c.Done != 2 {
			t.Errorf("on ch2: %+v", c)
		}
	})
}

// Calls that fail: what the calling chaincode gets. Its own transaction goes on.
func TestCallFails(t *testing.T) {
	chaincodes := map[string]function{"A": forward, "B": forward, "keeper": keeper, "failing": func(stub) *shim.Response {
		return &shim.Response{Status: 404, Message: "no such asset"}
	}}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"A calls A", []string{"A"}, "txid: t(ch1) exists"},
		{"A calls B calls A", []string{"B", "A"}, "txid: t(ch1) exists"},
		{"A calls B calls A by another channel", []string{"B/ch2", "A/ch1"}, "txid: t(ch1) exists"},
		{"unknown channel", []string{"keeper/ch3"}, "INVOKE_CHAINCODE failed: transaction ID: t: failed to find ledger for channel: ch3"},
		{"unknown chaincode", []string{"nobody"},
			"INVOKE_CHAINCODE failed: transaction ID: t: execute failed: chaincode nobody is not running, and this peer has no runtime for it (without Config.Definitions, a chaincode's name is its chaincode ID)"},
		{"callee fails", []string{"failing"}, "no such asset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t, chaincodesupport.Config{}, chaincodes)
				r, err := n.run(t.Context(), "A", "t", test.args...)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Message + string(r.Payload); r.Status < 400 || !strings.HasSuffix(got, test.want) {
					t.Errorf("got %d %q, want %q", r.Status, got, test.want)
				}
			})
		})
	}
}

// forward calls the chaincode in its first argument with the others.
func forward(s stub) *shim.Response {
	args := s.GetArgs()
	if len(args) == 0 {
		return shim.Error("called without a name")
	}
	return s.InvokeChaincode(string(args[0]), args[1:], "")
}

func TestCallWithoutSimulation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"caller": calls, "keeper": keeper})
		r, err := n.Execute(t.Context(), "caller", params("t"), input("keeper"))
		if want := "INVOKE_CHAINCODE failed: transaction ID: t: could not get valid transaction"; err != nil || string(r.Payload) != want {
			t.Errorf("got %+v, %v; want %q", r, err, want)
		}
	})
}

// F47: each chaincode calls the next one, until it can't.
func TestCallDepth(t *testing.T) {
	for _, limit := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			deepest := 0
			chaincodes := map[string]function{}
			for i := range 70 {
				chaincodes[strconv.Itoa(i)] = func(s stub) *shim.Response {
					deepest = max(deepest, i)
					return s.InvokeChaincode(strconv.Itoa(i+1), nil, "")
				}
			}
			n := newNetwork(t, chaincodesupport.Config{Limits: handler.Limits{MaxCallDepth: limit}}, chaincodes)
			want := limit
			if limit == 0 {
				want = 64
			}
			text := "INVOKE_CHAINCODE failed: transaction ID: t: execute failed: error sending: chaincode calls chaincode more than " + strconv.Itoa(want) + " deep"
			n.wantResult("0", "t", 500, text)
			if deepest != want {
				t.Errorf("the deepest call was %d, want %d", deepest, want)
			}
		})
	}
}

// deadlines is a ledger that notes the deadline of every read.
type deadlines struct {
	ledger.Simulator
	seen chan time.Time
}

func (d deadlines) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	if at, ok := ctx.Deadline(); ok {
		d.seen <- at
	}
	return d.Simulator.GetState(ctx, namespace, key)
}

// I11: the callee has what is left of its caller's time, which is the transaction's or its submitter's.
func TestInheritedDeadline(t *testing.T) {
	for _, limit := range []time.Duration{10 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t, chaincodesupport.Config{}, map[string]function{
				"caller": func(s stub) *shim.Response { <-time.After(9 * time.Second); return calls(s) },
				"keeper": keeper,
			})
			if err := n.Launch(t.Context(), "caller"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			want := time.Now().Add(min(limit, 30*time.Second))
			d := deadlines{n.simulate("t").Simulator(), make(chan time.Time, 1)}
			p := handler.TxParams{ChannelID: "ch1", TxID: "t", Simulation: handler.NewSimulation(d), SignedProposal: proposed(t)}
			if _, err := n.Execute(ctx, "caller", p, input("keeper")); err != nil {
				t.Fatal(err)
			}
			if got := <-d.seen; !got.Equal(want) {
				t.Errorf("the callee's deadline is %s later than the caller's", got.Sub(want))
			}
		})
	}
}

// When the time is up, it is up for caller and callee, and both can run again.
func TestCalleeTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var called atomic.Int64
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{
			"caller": calls,
			"keeper": func(s stub) *shim.Response {
				if called.Add(1) == 1 {
					<-time.After(time.Hour)
				}
				return keeper(s)
			},
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := n.run(ctx, "caller", "t", "keeper")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("ended after %s", d)
		}
		// Where the callee's time is up first, the caller may have learnt it, and have answered, at the same instant.
		told := err == nil && r.Status == shim.ERROR && strings.HasSuffix(string(r.Payload), handler.ErrTimeout.Error())
		if !told && !errors.Is(err, handler.ErrTimeout) {
			t.Errorf("ended with %v, %v", r, err)
		}
		n.wantResult("caller", "t2", 200, "", "keeper")
		<-time.After(2 * time.Hour) // until the first run of keeper has found out
	})
}

// F48: a block is committed while A on ch1 waits for B on ch2, which waits for C on ch1.
func TestCommitDuringCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n *network
		n = newNetwork(t, chaincodesupport.Config{}, map[string]function{
			"A": forward, "B": forward, "keeper": keeper,
			"C": func(s stub) *shim.Response {
				n.wantResult("keeper", "meanwhile", 200, "")
				return s.InvokeChaincode("keeper", nil, "")
			},
		})
		n.wantResult("A", "t1", 200, "", "B/ch2", "C/ch1") // C's snapshot is older than that block
		n.wantResult("keeper", "t2", 200, "meanwhile")
	})
}

// F49
func TestCalleeDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runtimes := inProcess(t, map[string]function{"caller": calls})
		dying := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
			if err := s.Send(registration(id)); err != nil {
				return err
			}
			for {
				if m, err := s.Recv(); err != nil || m.Type == pb.ChaincodeMessage_TRANSACTION {
					return err
				}
			}
		})
		n := newNetwork(t, chaincodesupport.Config{Runtimes: choose(func(id string) runtime.Runtime {
			if id == "dying" {
				return dying
			}
			return ask(runtimes, id)
		})}, nil)
		for _, txID := range []string{"t1", "t2"} {
			n.wantResult("caller", txID, 500, "INVOKE_CHAINCODE failed: transaction ID: "+txID+": execute failed: error sending: chaincode stream terminated", "dying")
		}
	})
}

// F82: what a callback panics with stays in the peer.
func TestCallbackPanics(t *testing.T) {
	secret := func() { panic("secret") }
	for _, test := range []struct {
		name string
		cfg  func(*chaincodesupport.Config)
		want string // for the calling chaincode
		is   error  // for the submitter
	}{
		{"Definitions fail", func(c *chaincodesupport.Config) {
			c.Definitions = chaincodesupport.DefinitionsFunc(func(context.Context, handler.TxParams) (chaincodesupport.Definition, error) {
				return chaincodesupport.Definition{}, errors.New("not installed")
			})
		}, "execute failed: invalid invocation: [channel ch1] failed to get chaincode container info for keeper: not installed", nil},
		{"Definitions", func(c *chaincodesupport.Config) {
			c.Definitions = chaincodesupport.DefinitionsFunc(func(context.Context, handler.TxParams) (chaincodesupport.Definition, error) {
				secret()
				return chaincodesupport.Definition{}, nil
			})
		}, "panic during execution", handler.ErrPoisoned},
		{"Runtime", func(c *chaincodesupport.Config) {
			runtimes := c.Runtimes
			c.Runtimes = choose(func(id string) runtime.Runtime {
				if id == "keeper" {
					secret()
				}
				return ask(runtimes, id)
			})
		}, "panic during execution", handler.ErrPoisoned},
		{"runtime", func(c *chaincodesupport.Config) {
			runtimes := c.Runtimes
			c.Runtimes = choose(func(id string) runtime.Runtime {
				if id != "keeper" {
					return ask(runtimes, id)
				}
				return runFunc(func(context.Context, string, runtime.StreamHandler) error { secret(); return nil })
			})
		}, "execute failed: chaincode registration failed: the runtime panicked", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := make(chan string, 1)
				cfg := chaincodesupport.Config{Runtimes: inProcess(t, map[string]function{"keeper": keeper, "caller": func(s stub) *shim.Response {
					r := calls(s)
					seen <- string(r.Payload)
					return r
				}})}
				test.cfg(&cfg)
				n := newNetwork(t, cfg, nil)
				_, err := n.run(t.Context(), "caller", "t", "keeper")
				if !errors.Is(err, test.is) {
					t.Errorf("Execute: %v, want %v", err, test.is)
				}
				if got := <-seen; got != "INVOKE_CHAINCODE failed: transaction ID: t: "+test.want {
					t.Errorf("chaincode got %q", got)
				}
			})
		})
	}
}
