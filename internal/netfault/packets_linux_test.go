package netfault_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/ccpeer/ccpeer/internal/netfault"
)

// The system acknowledges nothing that is sent into a cable that is cut, so that a short time to wait for that expires.
func TestUnplug(t *testing.T) {
	p := connected(t, nil)
	c := p.conn()
	if err := c.Unplug(netfault.Up); err != nil {
		t.Fatal(err)
	}
	giveUpSoon(t, p.dialled)
	p.send(p.dialled, "lost")
	p.wantEnd(p.far, nil)
	p.wantEnd(p.dialled, syscall.ETIMEDOUT)
	p.send(p.far, "a") // the other cable is there
}

// giveUpSoon makes a connection fail on which data isn't acknowledged for 100 ms.
func giveUpSoon(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	const userTimeout = 18 // TCP_USER_TIMEOUT, which package syscall doesn't name
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, 100) }); err != nil || set != nil {
		t.Fatal(err, set)
	}
}
