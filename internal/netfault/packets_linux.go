package netfault

import (
	"net"
	"syscall"

	"github.com/pkg/errors"
)

// losePackets gives a socket a filter that accepts no packet. The system then takes none for it, and acknowledges none.
func losePackets(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return errors.Wrap(err, "reach socket")
	}
	nothing := []syscall.SockFilter{{Code: syscall.BPF_RET | syscall.BPF_K, K: 0}}
	var attached error
	err = raw.Control(func(fd uintptr) {
		attached = syscall.AttachLsf(int(fd), nothing) //nolint:staticcheck // what is to replace it is in another module
	})
	if err == nil {
		err = attached
	}
	if err != nil {
		return errors.Wrap(err, "attach filter to socket")
	}
	return nil
}
