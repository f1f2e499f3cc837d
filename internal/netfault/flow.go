package netfault

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// flow is one direction of a connection. One goroutine, run, reads and writes.
type flow struct {
	conn     *Conn
	from, to *net.TCPConn
	back     *flow // the other direction

	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed, and made anew, when fault changes
	passed  int64
	at      int64  // of passed, when do is called
	do      func() // nil: nothing is
}

func (f *flow) set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flow) now() (Fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault, f.changed
}

func (f *flow) loses() bool {
	fault, _ := f.now()
	return fault.Blackhole
}

func (f *flow) after(n int64, do func()) {
	if n <= 0 {
		do()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.do = f.passed+n, do
}

func (f *flow) count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed
}

// run passes on what is sent, until its end.
func (f *flow) run() {
	buf := make([]byte, 32<<10)
	for {
		n, err := f.from.Read(buf)
		f.deliver(buf[:n])
		if err != nil {
			f.end(err)
			return
		}
	}
}

// deliver does with b what the fault says.
func (f *flow) deliver(b []byte) {
	for len(b) > 0 {
		fault, changed, ok := f.hold()
		if !ok || fault.Blackhole {
			return
		}
		n := f.piece(len(b), fault)
		if !f.pause(fault.waiting(n), changed) {
			continue // another fault, or the end
		}
		if _, err := f.to.Write(b[:n]); err != nil {
			if !f.loses() && !f.back.loses() { // else the sender doesn't learn that its bytes go nowhere
				f.conn.Reset()
			}
			return
		}
		f.pass(n)
		b = b[n:]
	}
}

// end does with the end of what was sent what the fault says. err is what Read returned.
func (f *flow) end(err error) {
	fault, _, ok := f.hold()
	switch {
	case !ok, fault.Blackhole:
	case errors.Is(err, io.EOF):
		_ = f.to.CloseWrite() // on failure it has ended
	default:
		f.conn.Reset()
	}
}

// hold returns the fault when it isn't, or is no longer, to stall, and what is closed when it changes. It returns false when
// the connection is broken.
func (f *flow) hold() (fault Fault, changed <-chan struct{}, ok bool) {
	for {
		fault, changed = f.now()
		if !fault.Stall {
			return fault, changed, !f.conn.broken()
		}
		select {
		case <-changed:
		case <-f.conn.done:
			return fault, changed, false
		}
	}
}

// ticks is how many times a second a slow direction passes something.
const ticks = 50

// piece is how many of n bytes pass at once.
func (f *flow) piece(n int, fault Fault) int {
	if fault.Rate > 0 {
		n = min(n, max(1, fault.Rate/ticks))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.do != nil {
		n = int(min(int64(n), f.at-f.passed))
	}
	return n
}

// waiting is how long n bytes are held.
func (fault Fault) waiting(n int) time.Duration {
	d := fault.Delay
	if fault.Rate > 0 {
		d += time.Duration(n) * time.Second / time.Duration(fault.Rate)
	}
	return d
}

// pause waits, and returns false if changed is closed, or the connection breaks, before it is over.
func (f *flow) pause(d time.Duration, changed <-chan struct{}) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-changed:
	case <-f.conn.done:
	}
	return false
}

// pass counts n bytes, and does what was to be done after them.
func (f *flow) pass(n int) {
	f.mu.Lock()
	f.passed += int64(n)
	var do func()
	if f.do != nil && f.passed >= f.at {
		do, f.do = f.do, nil
	}
	f.mu.Unlock()
	if do != nil {
		do()
	}
}
