package etcdtest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

// parentVar makes a process start a cluster, say where it is, and wait.
const parentVar = "CCPEER_ETCDTEST_PARENT"

func TestMain(m *testing.M) {
	etcdtest.Main()
	if os.Getenv(parentVar) != "" {
		fmt.Fprintln(os.Stderr, playParent())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func playParent() error {
	c, err := etcdtest.Start(context.Background(), etcdtest.Config{Nodes: 1, Dir: os.Getenv(parentVar)})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, c.Endpoints()[0]); err != nil {
		return err
	}
	select {}
}

// The nodes end with the process that has started them, also when it is killed.
func TestParentKilled(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentVar+"="+t.TempDir())
	parent.Stderr = os.Stderr
	stdout, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	endpoint, err := url.Parse(strings.TrimSpace(line))
	must(t, err)
	must(t, dial(endpoint.Host))
	must(t, parent.Process.Kill())
	if err := parent.Wait(); err == nil {
		t.Error("the process has ended by itself")
	}
	deadline := time.After(20 * time.Second)
	for dial(endpoint.Host) == nil {
		select {
		case <-deadline:
			t.Fatal("the node is still there")
		default:
		}
	}
}

func dial(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
