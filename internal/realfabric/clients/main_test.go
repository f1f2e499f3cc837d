package clients_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
)

// bin is where TestMain has built Fabric's programs.
var bin string

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
	if err := network.Build(context.Background(), "../fabric", bin); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, goleak.Find()
}
