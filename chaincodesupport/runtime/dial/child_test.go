//go:build unix

package dial_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/shim"
)

// childVar makes the test binary a chaincode server.
const childVar = "DIAL_TEST_CHILD"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		playServer(os.Args[1])
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// playServer is a chaincode server's main function. It listens where it is told, says where, and lives until it is killed.
func playServer(address string) {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGUSR1)
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	fmt.Fprintln(os.Stderr, shim.Serve(context.Background(), plaintext(l, func(s shim.ChaincodeStubInterface) *shim.Response {
		if string(s.GetArgs()[0]) == "hold" {
			fmt.Println("holds")
			<-resumed
		}
		return echo(s)
	})))
}

// server is a chaincode server that is a process of its own.
type server struct {
	t       *testing.T
	process *os.Process
	said    *bufio.Scanner
	address string
}

// startServer starts one, which is killed at the test's end.
func startServer(t *testing.T, address string) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, address)
	cmd.Env, cmd.Stderr = append(os.Environ(), childVar+"=server"), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unless the test has
		_ = cmd.Wait()         // "signal: killed"
	})
	s := &server{t: t, process: cmd.Process, said: bufio.NewScanner(out)}
	s.address = s.says("")
	return s
}

// says waits for the next line, which must be want, if that isn't empty.
func (s *server) says(want string) string {
	s.t.Helper()
	if !s.said.Scan() || want != "" && s.said.Text() != want {
		s.t.Fatalf("the server said %q, %v, want %q", s.said.Text(), s.said.Err(), want)
	}
	return s.said.Text()
}

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// stop stops the process, and returns when it has stopped.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Pid))
		if err != nil {
			s.t.Skip("there is no /proc: ", err)
		}
		if _, state, _ := bytes.Cut(stat, []byte(") ")); strings.HasPrefix(string(state), "T") {
			return
		}
	}
	s.t.Fatal("the server does not stop")
}
