package netfault

import (
	"net"
	"sync"
	"time"
)

// Direction is a way through a connection, or both ways.
type Direction uint8

// The directions.
const (
	// Up is from who has dialled to the server.
	Up Direction = 1 << iota
	// Down is from the server to who has dialled.
	Down
	// Both is Up and Down.
	Both = Up | Down
)

// Fault is what happens to the bytes of one direction. The zero value passes them on.
type Fault struct {
	// Stall holds what is sent, and the direction's end: the sender can go on until the systems' buffers are full. What is
	// held passes when Stall is taken back.
	Stall bool
	// Blackhole takes what is sent, and the direction's end, and loses it: neither end learns of anything.
	Blackhole bool
	// Delay holds each piece, of up to 32 KiB, for so long. The pieces behind it wait.
	Delay time.Duration
	// Rate is how many bytes pass in a second. 0: as many as can.
	Rate int
}

// Conn is a connection through a Proxy. It is safe for concurrent use.
type Conn struct {
	near, far *net.TCPConn // to who has dialled, and to the server
	up, down  *flow
	done      chan struct{} // closed by the first Reset
	reset     sync.Once
}

func newConn(near, far *net.TCPConn) *Conn {
	c := &Conn{near: near, far: far, done: make(chan struct{})}
	c.up = &flow{conn: c, from: near, to: far, changed: make(chan struct{})}
	c.down = &flow{conn: c, from: far, to: near, changed: make(chan struct{})}
	c.up.back, c.down.back = c.down, c.up
	return c
}

// run returns when both directions have ended.
func (c *Conn) run() {
	var both sync.WaitGroup
	both.Go(c.up.run)
	both.Go(c.down.run)
	both.Wait()
	_ = c.near.Close() // nobody is there who could be told of an error
	_ = c.far.Close()
}

func (c *Conn) broken() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *Conn) flows(d Direction) []*flow {
	var flows []*flow
	if d&Up != 0 {
		flows = append(flows, c.up)
	}
	if d&Down != 0 {
		flows = append(flows, c.down)
	}
	return flows
}

// Set makes f the fault of a direction, from the next byte on, in place of the one before.
func (c *Conn) Set(d Direction, f Fault) {
	for _, flow := range c.flows(d) {
		flow.set(f)
	}
}

// After calls do when n more bytes have passed in a direction, and before the next one does. Bytes that are lost don't
// count. Of several calls for a direction, the last one counts.
func (c *Conn) After(d Direction, n int64, do func()) {
	for _, flow := range c.flows(d) {
		flow.after(n, do)
	}
}

// Passed returns how many bytes have passed so far, in both directions if d is Both.
func (c *Conn) Passed(d Direction) int64 {
	var n int64
	for _, flow := range c.flows(d) {
		n += flow.count()
	}
	return n
}

// End ends a direction, as its sender would: with a FIN behind what has passed. What is sent after that is lost.
func (c *Conn) End(d Direction) {
	for _, flow := range c.flows(d) {
		flow.set(Fault{Blackhole: true})
		_ = flow.to.CloseWrite() // on failure it has ended
	}
}

// Reset breaks the connection with a RST to both ends.
func (c *Conn) Reset() {
	c.reset.Do(func() {
		close(c.done)
		reset(c.near)
		reset(c.far)
	})
}

// Unplug makes the system lose every packet that the sender of a direction sends, acknowledgements too, as if its cable were
// cut: unlike with Blackhole, whoever waits for these is kept waiting. It can't be undone. Only Linux has it; the error is
// syscall.ENOTSUP elsewhere.
func (c *Conn) Unplug(d Direction) error {
	for _, flow := range c.flows(d) {
		if err := losePackets(flow.from); err != nil {
			return err
		}
	}
	return nil
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // on failure it is closed
	_ = conn.Close()
}
