//go:build linux

package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// patience is how long anything may take. Only what would never end should need so long, however busy the machine is.
const patience = 5 * time.Minute

// honest is the chaincode that is served whatever happens.
const honest = "honest:1"

// attacked is a peer that runs as a process.
type attacked struct {
	t       *testing.T
	disk    bool // its store is on disk
	address string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stderr  strings.Builder

	mu      sync.Mutex
	waiting map[string]chan string // for the outcome of a transaction
	gone    chan struct{}          // closed when the peer says nothing more
}

// startPeer starts a peer with the honest chaincode. Both end with the test, which fails if the peer has ended before, or has
// used more than its memory.
func startPeer(t *testing.T, disk bool) *attacked {
	t.Helper()
	p := &attacked{t: t, disk: disk, waiting: map[string]chan string{}, gone: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), peerVar+"="+t.TempDir(), fmt.Sprint("GOMEMLIMIT=", collectorLimit(disk)), "GODEBUG=", "MALLOC_MMAP_THRESHOLD_=1048576") // as pebble.Config says
	p.cmd.Stderr = &p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.address = strings.TrimSpace(first)
	go p.listen(lines)
	t.Cleanup(p.end)
	p.startHonest()
	return p
}

// listen hands the outcomes of transactions to whoever waits for them.
func (p *attacked) listen(lines *bufio.Reader) {
	defer close(p.gone)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		txID, outcome, _ := strings.Cut(strings.TrimSpace(line), " ")
		p.mu.Lock()
		p.waiting[txID] <- outcome
		p.mu.Unlock()
	}
}

// end ends the peer, which must have lived until now, within its memory.
func (p *attacked) end() {
	peak := p.peak()
	p.t.Logf("the peer has used %d MiB at most", peak>>20)
	if peak > memoryLimit(p.disk) && !raced() {
		p.t.Errorf("the peer has used %d MiB", peak>>20)
	}
	_ = p.stdin.Close() // the peer's end
	stuck := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer stuck.Stop()
	<-p.gone
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the peer: %v\n%.4000s", err, p.stderr.String())
	}
}

// peak is how many bytes of memory the peer has used at most, or 0 if it is gone.
func (p *attacked) peak() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, _ := strconv.Atoi(strings.Fields(after + " 0 kB")[0])
	return kib << 10
}

// start starts a transaction, and returns where its outcome will be.
func (p *attacked) start(chaincodeID, txID string, args ...string) <-chan string {
	p.t.Helper()
	outcome := make(chan string, 1)
	p.mu.Lock()
	p.waiting[txID] = outcome
	p.mu.Unlock()
	if _, err := fmt.Fprintln(p.stdin, chaincodeID, txID, strings.Join(args, " ")); err != nil {
		p.t.Fatalf("the peer is gone: %v\n%.4000s", err, p.stderr.String())
	}
	return outcome
}

// await waits for the outcome of a transaction.
func (p *attacked) await(outcome <-chan string) string {
	p.t.Helper()
	select {
	case o := <-outcome:
		return o
	case <-p.gone:
		p.t.Fatalf("the peer is gone: %.4000s", p.stderr.String())
	case <-time.After(patience):
		p.t.Fatal("a transaction doesn't end")
	}
	return ""
}

// serves checks that the honest chaincode is served.
func (p *attacked) serves(when string) {
	p.t.Helper()
	if o := p.await(p.start(honest, "honest-"+when, when)); o != "200 "+when {
		p.t.Errorf("%s: the honest chaincode's transaction: %s", when, o)
	}
}

// honestChaincode puts its argument, and answers it.
type honestChaincode struct{}

func (honestChaincode) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (honestChaincode) Invoke(s shim.ChaincodeStubInterface) *shim.Response {
	value := s.GetArgs()[0]
	if err := s.PutState("k", value); err != nil {
		return shim.Error(err.Error())
	}
	if _, err := s.GetState("k"); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// startHonest connects the honest chaincode, and returns when the peer serves it.
func (p *attacked) startHonest() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- shim.Run(ctx, shim.Config{ChaincodeID: honest, PeerAddress: p.address}, honestChaincode{})
	}()
	p.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("the honest chaincode: %v", err)
		}
	})
	began := time.Now()
	for i := 0; ; i++ {
		o := p.await(p.start(honest, fmt.Sprint("ready", i), "ready"))
		if o == "200 ready" {
			return
		}
		if time.Since(began) > patience {
			p.t.Fatalf("the honest chaincode isn't served: %s", o)
		}
	}
}

// connect opens a connection to the peer, which ends with the test.
func (p *attacked) connect() *grpc.ClientConn {
	p.t.Helper()
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pb.MaxMessageSize), grpc.MaxCallSendMsgSize(pb.MaxMessageSize)))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// open opens a stream on a connection of its own.
func (p *attacked) open(ctx context.Context) pb.ClientStream {
	p.t.Helper()
	s, err := pbgrpc.DialChaincodeSupport(ctx, p.connect())
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// marshal serializes what tests have made themselves, and is therefore valid.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}
