//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/gatewayclient"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	clients = 8
	// patience is how long anything may take, however busy the machine is.
	patience = 2 * time.Minute
)

// life is a network from its start until it is killed.
type life struct {
	t       *testing.T
	cmd     *exec.Cmd
	conn    *grpc.ClientConn
	client  *gatewayclient.Client
	working context.Context
	stop    context.CancelFunc
}

func start(t *testing.T, dir string) *life {
	t.Helper()
	l := &life{t: t, cmd: exec.Command(os.Args[0])}
	l.cmd.Env, l.cmd.Stderr = append(os.Environ(), dirVar+"="+dir), os.Stderr
	if _, err := l.cmd.StdinPipe(); err != nil { // which ends with this process
		t.Fatal(err)
	}
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var at entrance
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		t.Fatal(err)
	}
	alice, err := identity.Load("Org1MSP", at.Certificate, at.Key)
	if err != nil {
		t.Fatal(err)
	}
	if l.conn, err = gatewayclient.Dial(at.Address, at.TLSRoot, "localhost"); err != nil {
		t.Fatal(err)
	}
	l.client = &gatewayclient.Client{Conn: l.conn, ChannelID: peer.DefaultChannel, Signer: alice}
	l.working, l.stop = context.WithTimeout(t.Context(), patience)
	return l
}

// kill kills the network. Its clients have ended, or are told so by their connection.
func (l *life) kill() { _ = l.cmd.Process.Kill() }

// over waits for the end of it.
func (l *life) over() {
	l.stop()
	_ = l.conn.Close()
	_ = l.cmd.Wait() // that it was killed
}

// record is what clients were told, and must stay true.
type record struct {
	mu    sync.Mutex
	valid []gatewayclient.Transaction
}

func (r *record) add(tx gatewayclient.Transaction) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.valid = append(r.valid, tx)
	return len(r.valid)
}

// work has clients submit until the network is killed, which is when they have been told of some more transactions.
func (l *life) work(r *record, more int) {
	enough := len(r.valid) + more
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			for {
				tx, err := l.client.Submit(l.working, "notes", fmt.Appendf(nil, "%x", rand.Uint64()))
				if err != nil {
					return // it is dead, or dying
				}
				if tx.Code != pb.TxValidationCode_VALID {
					l.t.Errorf("transaction %s is %s", tx.TxID, tx.Code)
				}
				if r.add(tx) >= enough {
					l.kill()
				}
			}
		})
	}
	working.Wait()
	if l.working.Err() != nil {
		l.t.Fatal("the network is stuck")
	}
}

// check asks again about transactions.
func (l *life) check(told []gatewayclient.Transaction) {
	l.t.Helper()
	for _, tx := range told {
		got, err := l.client.Status(l.working, tx.TxID)
		if err != nil || got != tx {
			l.t.Errorf("transaction %s was %+v, and now is %+v, %v", tx.TxID, tx, got, err)
		}
	}
}

// events are those that an application has seen, with its checkpoint.
type events struct {
	seen  []string // transactions' IDs
	block uint64
	after string
}

// follow goes on after the checkpoint until the network dies, or there are as many events as are wanted.
func (e *events) follow(l *life, wanted int) {
	ctx, cancel := context.WithCancel(l.working)
	defer cancel()
	if wanted > 0 && len(e.seen) >= wanted {
		return
	}
	s, err := l.client.Events(ctx, "notes", e.block, e.after)
	if err != nil {
		return
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return
		}
		for _, event := range m.GetEvents() {
			e.seen = append(e.seen, event.GetTxId())
			e.block, e.after = m.GetBlockNumber(), event.GetTxId()
			if len(e.seen) == wanted {
				return
			}
		}
	}
}

// F172: a network is killed while clients work. What they were told is true after it, and events go on where the application was.
func TestKilledNetwork(t *testing.T) {
	lives := 6
	if os.Getenv("CCPEER_LONG") != "" {
		lives = 100
	}
	dir, told, application := t.TempDir(), new(record), new(events)
	var checked int
	for range lives {
		l := start(t, dir)
		l.check(told.valid[checked:])
		checked = len(told.valid)
		var following sync.WaitGroup
		following.Go(func() { application.follow(l, 0) })
		l.work(told, 1+rand.IntN(60))
		following.Wait()
		l.over()
	}

	last := start(t, dir)
	last.check(told.valid)
	all := new(events)
	// One more transaction is the last event, so that the end can be told.
	end, err := last.client.Submit(last.working, "notes", []byte("end"))
	if err != nil {
		t.Fatal(err)
	}
	for len(all.seen) == 0 || all.seen[len(all.seen)-1] != end.TxID {
		all.follow(last, len(all.seen)+1)
		if last.working.Err() != nil {
			t.Fatalf("the last event doesn't come, after %d", len(all.seen))
		}
	}
	application.follow(last, len(all.seen))
	if !slices.Equal(application.seen, all.seen) {
		t.Errorf("over %d lives the application has seen %d events, in one go there are %d; or others", lives, len(application.seen), len(all.seen))
	}
	for _, tx := range told.valid {
		if n := count(all.seen, tx.TxID); n != 1 {
			t.Errorf("transaction %s has %d events", tx.TxID, n)
		}
	}
	t.Logf("%d transactions were told to be valid in %d lives, and there are %d events", len(told.valid), lives, len(all.seen))
	last.kill()
	last.over()
}

func count(all []string, one string) (n int) {
	for _, id := range all {
		if id == one {
			n++
		}
	}
	return n
}
