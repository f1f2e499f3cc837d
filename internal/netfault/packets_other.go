//go:build !linux

package netfault

import (
	"net"
	"syscall"
)

func losePackets(*net.TCPConn) error { return syscall.ENOTSUP }
