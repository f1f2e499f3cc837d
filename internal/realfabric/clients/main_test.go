package clients_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
)

// bin is a folder for what the tests build, and build builds Fabric's programs there, once.
var (
	bin   string
	build = sync.OnceValue(func() error { return network.Build(context.Background(), "../fabric", bin) })
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	bin, err = os.MkdirTemp("", "clients-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if removed := os.RemoveAll(bin); err == nil {
			err = removed
		}
	}()
	code = m.Run()
	return code, goleak.Find()
}
