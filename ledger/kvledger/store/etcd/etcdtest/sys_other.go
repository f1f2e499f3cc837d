//go:build !linux

package etcdtest

import "syscall"

// attributes are nothing here: a node notices by its standard input when whoever started it ends.
func attributes() *syscall.SysProcAttr { return nil }
