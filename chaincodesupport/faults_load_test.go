//go:build unix

package chaincodesupport_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	goruntime "runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

var (
	connects = flag.Int("connects", 1000, "how often to connect and disconnect")
	floods   = flag.Int("flood", 100_000, "how many messages of each kind to flood a peer with")
)

// usage is what the process uses.
type usage struct {
	goroutines, descriptors int
	heap                    uint64 // bytes
}

func measure(t *testing.T) usage {
	t.Helper()
	var m goruntime.MemStats
	goruntime.GC()
	goruntime.GC() // of what pools keep from one to the next
	goruntime.ReadMemStats(&m)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no /proc: ", err)
	}
	return usage{goruntime.NumGoroutine(), len(fds), m.HeapAlloc}
}

// floodKinds are messages that a peer can be flooded with, in a transaction t whose GET_STATE is pending.
var floodKinds = []struct {
	name string
	msg  *msg
}{
	{"KEEPALIVE", &msg{Type: pb.ChaincodeMessage_KEEPALIVE}},
	{"COMPLETED of no transaction", &msg{Type: pb.ChaincodeMessage_COMPLETED, Txid: "none", ChannelId: "ch1"}},
	{"GET_STATE of no transaction", &msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "none", ChannelId: "ch1", Payload: marshal(&pb.GetState{Key: "k"})}},
	{"GET_STATE while one is pending", &msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "t", ChannelId: "ch1", Payload: marshal(&pb.GetState{Key: "k"})}},
	{"large PUT_STATE of no transaction", &msg{Type: pb.ChaincodeMessage_PUT_STATE, Txid: "none", ChannelId: "ch1", Payload: make([]byte, 64<<10)}},
}

// F35, F7: a chaincode sends without end, and reads nothing. It is slowed down, or its stream ended; and costs little.
func TestFaultFlood(t *testing.T) {
	for _, kind := range floodKinds {
		t.Run(kind.name, func(t *testing.T) {
			n := newNetwork(t, chaincodesupport.Config{DevMode: true, Runtimes: inProcess(t, map[string]function{"keeper": keeper})}, nil)
			s := dial(t, serve(t, n.ChaincodeSupport))
			n.wantResult("keeper", "before", 200, "")
			x := reachState(t, n, s, "request pending")
			before := measure(t)
			f := flood{t: t, before: before}
			f.run(s, kind.msg, *floods)
			f.sample()
			t.Logf("%d messages sent, ended with %v; at most %d goroutines and %d KiB more", f.sent.Load(), f.err, f.most.goroutines, int64(f.most.heap)>>10)
			if f.most.goroutines > 64 || int64(f.most.heap) > 32<<20 {
				t.Errorf("used %d goroutines and %d bytes more", f.most.goroutines, f.most.heap)
			}
			n.watched["ch1"].On("GetState", nil)
			n.wantResult("keeper", "meanwhile", 200, "before")
			if err := n.Stop(t.Context(), "asset:1"); err != nil {
				t.Error(err)
			}
			x.wantTerminated(promptly)
		})
	}
}

// flood is one that is under way.
type flood struct {
	t      *testing.T
	before usage
	most   usage // more than before
	sent   atomic.Int64
	err    error // that the sender has got
}

// run sends a message n times, and returns when that is done, or the stream has ended, or nothing can be sent for a while.
func (f *flood) run(s pb.Stream, m *msg, n int) {
	var over sync.WaitGroup
	f.t.Cleanup(over.Wait) // when the stream has ended
	ended := make(chan error, 1)
	over.Go(func() {
		var err error
		for i := 0; i < n && err == nil; i++ {
			err = s.Send(m)
			f.sent.Add(1)
		}
		ended <- err
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last, since := f.sent.Load(), time.Now(); ; {
		select {
		case f.err = <-ended:
			return
		case <-tick.C:
		}
		f.sample()
		if now := f.sent.Load(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > 500*time.Millisecond {
			return
		}
	}
}

// sample takes the least of three looks: what is allocated while the garbage is collected is in one, and soon gone.
func (f *flood) sample() {
	now := measure(f.t)
	for range 2 {
		now.heap = min(now.heap, measure(f.t).heap)
	}
	f.most.goroutines = max(f.most.goroutines, now.goroutines-f.before.goroutines)
	if now.heap > f.before.heap {
		f.most.heap = max(f.most.heap, now.heap-f.before.heap)
	}
}

// F60: chaincode that connects and disconnects, in good order and otherwise, leaves nothing behind.
func TestFaultManyConnects(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	address := serve(t, cs)
	visit := func(n int) {
		for i := range n {
			visitors[i%len(visitors)](t, address)
		}
		eventually(t, "the last one is gone", func() bool { return len(cs.List()) == 0 })
	}
	wantNothingLeft(t, visit)
}

// F60: the same for chaincode that is launched and stopped, or that fails.
func TestFaultManyLaunches(t *testing.T) {
	ways := []runtime.Runtime{
		scripted(t, succeed),
		failing(errors.New("no such program")),
		inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error { return s.Send(registration(id)) }),
	}
	cs := newSupport(t, chaincodesupport.Config{Runtimes: choose(func(id string) runtime.Runtime {
		n, _ := strconv.Atoi(id)
		return ways[n%len(ways)]
	})})
	wantNothingLeft(t, func(n int) {
		for i := range n {
			id := strconv.Itoa(i % (10 * len(ways)))
			_, err := cs.Execute(t.Context(), id, params("t"), input())
			if works := i%len(ways) == 0; works != (err == nil) {
				t.Fatalf("Execute on %s: %v", id, err)
			}
			if err := cs.Stop(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// wantNothingLeft does something *connects times, and wants as much to be in use then as before.
func wantNothingLeft(t *testing.T, do func(times int)) {
	t.Helper()
	do(60) // what is made once, and kept
	before := measure(t)
	do(*connects)
	var after usage
	eventually(t, "all goroutines and descriptors are gone", func() bool {
		after = measure(t)
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
	t.Logf("before: %+v, after: %+v", before, after)
	if after.heap > before.heap+2<<20 {
		t.Errorf("%d bytes are left", after.heap-before.heap)
	}
}

// visitors are ways to come and go.
var visitors = [...]func(t *testing.T, address string){
	func(t *testing.T, address string) { // without a word
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	},
	func(t *testing.T, address string) { visit(t, address, false, func(pb.ClientStream, net.Conn) {}) },
	func(t *testing.T, address string) { visit(t, address, true, func(pb.ClientStream, net.Conn) {}) },
	func(t *testing.T, address string) {
		visit(t, address, true, func(s pb.ClientStream, _ net.Conn) {
			_ = s.CloseSend()
			_ = untilError(s)
		})
	},
	func(t *testing.T, address string) {
		visit(t, address, true, func(s pb.ClientStream, conn net.Conn) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
			_ = untilError(s)
		})
	},
	func(t *testing.T, address string) { // what is sent last ends it
		visit(t, address, true, func(s pb.ClientStream, _ net.Conn) {
			_ = s.Send(&msg{Type: pb.ChaincodeMessage_REGISTERED})
			_ = untilError(s)
		})
	},
}

var visitorID atomic.Int64

// visit opens a stream, registers under a name of its own if it is to, says goodbye, and closes the connection.
func visit(t *testing.T, address string, register bool, goodbye func(pb.ClientStream, net.Conn)) {
	t.Helper()
	var raw net.Conn
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (_ net.Conn, err error) {
			raw, err = new(net.Dialer).DialContext(ctx, "tcp", address)
			return raw, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := pbgrpc.DialChaincodeSupport(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	if register {
		if err := s.Send(registration(fmt.Sprintf("visitorID:%d", visitorID.Add(1)))); err != nil {
			t.Fatal(err)
		}
		for range 2 { // REGISTERED, READY
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		}
	}
	goodbye(s, raw)
}
