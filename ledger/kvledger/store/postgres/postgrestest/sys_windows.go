package postgrestest

import (
	"syscall"

	"github.com/pkg/errors"
)

// unprivileged returns an error: nobody has tried to start a server by these means here.
func unprivileged() (*syscall.SysProcAttr, error) {
	return nil, errors.New("this package starts PostgreSQL servers on a Unix only")
}

// give has nobody to give a folder to.
func give(string, *syscall.SysProcAttr) error { return nil }
