package netfault_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/netfault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen, and moment for what must not.
const (
	patience = 10 * time.Second
	moment   = 50 * time.Millisecond
)

// pair are the two ends of a connection through a proxy.
type pair struct {
	t            *testing.T
	proxy        *netfault.Proxy
	dialled, far *net.TCPConn // the end that has dialled, and the server's
}

// connected returns a pair that is connected, with prepare as the proxy's Config.Connected.
func connected(t *testing.T, prepare func(*netfault.Conn)) *pair {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p, err := netfault.New(netfault.Config{Target: l.Addr().String(), Connected: prepare})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	dialled, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = dialled.Close(), far.Close() })
	return &pair{t: t, proxy: p, dialled: dialled.(*net.TCPConn), far: far.(*net.TCPConn)}
}

// conn is the proxy's connection.
func (p *pair) conn() *netfault.Conn {
	p.t.Helper()
	for began := time.Now(); time.Since(began) < patience; runtime.Gosched() {
		if conns := p.proxy.Conns(); len(conns) > 0 {
			return conns[0]
		}
	}
	p.t.Fatal("the proxy has no connection")
	return nil
}

// wantGone waits until the proxy has no connection.
func (p *pair) wantGone() {
	p.t.Helper()
	for began := time.Now(); len(p.proxy.Conns()) > 0; runtime.Gosched() {
		if time.Since(began) > patience {
			p.t.Fatal("the proxy still has the connection")
		}
	}
}

func (p *pair) send(from net.Conn, text string) {
	p.t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		p.t.Errorf("send %q: %v", text, err)
	}
}

// want reads what must arrive.
func (p *pair) want(at net.Conn, text string) {
	p.t.Helper()
	got := make([]byte, len(text))
	if err := at.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if n, err := io.ReadFull(at, got); err != nil || string(got) != text {
		p.t.Fatalf("got %q, %v, want %q", got[:n], err, text)
	}
}

// wantEnd reads what must be an error. Nil stands for that nothing comes.
func (p *pair) wantEnd(at net.Conn, want error) {
	p.t.Helper()
	if _, system := want.(syscall.Errno); system && runtime.GOOS == "windows" {
		p.t.Skip("Windows has other errors for what befalls a connection")
	}
	limit := patience
	if want == nil {
		limit, want = moment, os.ErrDeadlineExceeded
	}
	if err := at.SetReadDeadline(time.Now().Add(limit)); err != nil {
		p.t.Fatal(err)
	}
	if n, err := at.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		p.t.Errorf("read %d bytes, %v, want %v", n, err, want)
	}
}

// wantPassed waits until so many bytes are said to have passed. They arrive a moment before.
func (p *pair) wantPassed(d netfault.Direction, want int64) {
	p.t.Helper()
	for began := time.Now(); p.conn().Passed(d) != want; runtime.Gosched() {
		if time.Since(began) > patience {
			p.t.Fatalf("%d bytes passed, want %d", p.conn().Passed(d), want)
		}
	}
}

// What the ends say of themselves reaches the other one, in both directions.
func TestPassesOn(t *testing.T) {
	p := connected(t, nil)
	p.send(p.dialled, "hello")
	p.want(p.far, "hello")
	p.send(p.far, "you too")
	p.want(p.dialled, "you too")
	p.wantPassed(netfault.Up, 5)
	p.wantPassed(netfault.Down, 7)
	p.wantPassed(netfault.Both, 12)
	_ = p.dialled.CloseWrite()
	p.wantEnd(p.far, io.EOF)
	p.send(p.far, "bye")
	p.want(p.dialled, "bye")
	_ = p.far.Close()
	p.wantEnd(p.dialled, io.EOF)
	p.wantGone()
}

// A reset of one end is one for the other.
func TestPassesResetOn(t *testing.T) {
	p := connected(t, nil)
	p.send(p.dialled, "a")
	p.want(p.far, "a")
	_ = p.far.SetLinger(0)
	_ = p.far.Close()
	p.wantEnd(p.dialled, syscall.ECONNRESET)
	p.wantGone()
}

func TestReset(t *testing.T) {
	p := connected(t, nil)
	p.conn().Reset()
	p.wantEnd(p.dialled, syscall.ECONNRESET)
	p.wantEnd(p.far, syscall.ECONNRESET)
	p.wantGone()
}

// One direction ends; the other one goes on.
func TestEnd(t *testing.T) {
	p := connected(t, nil)
	c := p.conn()
	c.End(netfault.Down)
	p.wantEnd(p.dialled, io.EOF)
	p.send(p.far, "lost")
	p.send(p.dialled, "a")
	p.want(p.far, "a")
	c.End(netfault.Both)
	p.wantEnd(p.far, io.EOF)
	p.wantEnd(p.dialled, io.EOF)
	_, _ = p.dialled.Close(), p.far.Close()
	p.wantGone()
}

func TestBlackhole(t *testing.T) {
	p := connected(t, nil)
	c := p.conn()
	c.Set(netfault.Up, netfault.Fault{Blackhole: true})
	p.send(p.dialled, strings.Repeat("lost", 1<<20)) // more than the system keeps
	p.wantEnd(p.far, nil)
	p.send(p.far, "a")
	p.want(p.dialled, "a")
	c.Set(netfault.Both, netfault.Fault{Blackhole: true})
	_ = p.dialled.SetLinger(0)
	_ = p.dialled.Close()
	p.wantEnd(p.far, nil)
	p.send(p.far, "nobody is there")
	if passed := c.Passed(netfault.Up); passed != 0 {
		t.Errorf("%d bytes have passed", passed)
	}
}

// What is held passes later, also the end.
func TestStall(t *testing.T) {
	p := connected(t, func(c *netfault.Conn) { c.Set(netfault.Up, netfault.Fault{Stall: true}) })
	p.send(p.dialled, "a")
	_ = p.dialled.CloseWrite()
	p.wantEnd(p.far, nil)
	p.send(p.far, "b")
	p.want(p.dialled, "b")
	p.conn().Set(netfault.Up, netfault.Fault{})
	p.want(p.far, "a")
	p.wantEnd(p.far, io.EOF)
}

// Who sends to one that doesn't read is held up, in the end.
func TestStallFillsBuffers(t *testing.T) {
	p := connected(t, func(c *netfault.Conn) { c.Set(netfault.Both, netfault.Fault{Stall: true}) })
	if err := p.dialled.SetWriteDeadline(time.Now().Add(4 * moment)); err != nil {
		t.Fatal(err)
	}
	if n, err := p.dialled.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("sent %d bytes, %v", n, err)
	}
}

func TestDelay(t *testing.T) {
	const delay = 200 * time.Millisecond
	p := connected(t, nil)
	p.conn().Set(netfault.Up, netfault.Fault{Delay: delay})
	began := time.Now()
	p.send(p.dialled, "a")
	p.want(p.far, "a")
	if d := time.Since(began); d < delay {
		t.Errorf("arrived after %s", d)
	}
	p.conn().Set(netfault.Up, netfault.Fault{Delay: time.Hour})
	p.send(p.dialled, "b")
	p.wantEnd(p.far, nil)
	p.conn().Set(netfault.Up, netfault.Fault{})
	p.want(p.far, "b")
}

func TestRate(t *testing.T) {
	p := connected(t, nil)
	p.conn().Set(netfault.Up, netfault.Fault{Rate: 1000})
	began := time.Now()
	p.send(p.dialled, strings.Repeat("a", 300))
	p.want(p.far, strings.Repeat("a", 300))
	if d := time.Since(began); d < 300*time.Millisecond {
		t.Errorf("300 bytes took %s", d)
	}
	p.conn().Set(netfault.Up, netfault.Fault{Rate: 1})
	p.send(p.dialled, "b")
	p.proxy.Close() // doesn't wait for it
	p.wantEnd(p.far, syscall.ECONNRESET)
}

// A fault begins behind a given byte, neither before nor after.
func TestAfter(t *testing.T) {
	cut := func(c *netfault.Conn) { c.After(netfault.Up, 100_000, func() { c.End(netfault.Up) }) }
	p := connected(t, cut)
	sent := bytes.Repeat([]byte("0123456789"), 20_000)
	p.send(p.dialled, string(sent))
	p.want(p.far, string(sent[:100_000]))
	p.wantEnd(p.far, io.EOF)
	p = connected(t, nil)
	p.conn().After(netfault.Down, 0, p.conn().Reset)
	p.wantEnd(p.dialled, syscall.ECONNRESET)
}

// Who dials when there is no server is reset.
func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	proxy, err := netfault.New(netfault.Config{Target: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	conn, err := net.Dial("tcp", proxy.Addr())
	if err == nil {
		defer func() { _ = conn.Close() }()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) { // before or after it was accepted
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := netfault.New(netfault.Config{Target: "nowhere"}); err == nil {
		t.Error("New takes an address without a port")
	}
}
