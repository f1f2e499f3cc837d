//go:build unix

package process_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/shim"
)

// testVar has the address at which the test listens, where that is not the peer's.
const testVar = "PROCESS_TEST_ADDRESS"

// children are the chaincodes. Those that dial tell the test that they run, and by the end of the connection that
// they do no more.
func children() map[string]func() {
	return map[string]func(){
		"exit": func() {
			for i := range 30 {
				fmt.Println("note", i)
				fmt.Fprintln(os.Stderr, "line", i)
			}
			os.Exit(3)
		},
		"idle":     func() { waitForEnd(dialPeer()) },
		"stubborn": func() { signal.Ignore(syscall.SIGTERM); waitForEnd(dialPeer()) },
		"despair": func() {
			asked := make(chan os.Signal, 1)
			signal.Notify(asked, syscall.SIGTERM)
			told := make(chan struct{})
			conn := dialPeer()
			go func() { _, _ = conn.Read(make([]byte, 1)); close(told) }()
			select {
			case <-asked:
			case <-told:
			}
			fmt.Fprintln(os.Stderr, "out of memory")
			os.Exit(4)
		},
		"tidy": func() {
			asked := make(chan os.Signal, 1)
			signal.Notify(asked, syscall.SIGTERM)
			dialPeer()
			<-asked
			fmt.Println("bye")
			os.Exit(1)
		},
		"parent": func() { fork("stubborn", nil); waitForEnd(dialPeer()) },
		"daemonparent": func() {
			fork("stubborn", &syscall.SysProcAttr{Setsid: true})
			waitForEnd(dialPeer())
		},
		"hung": func() {
			signal.Ignore(syscall.SIGTERM)
			fork("latecomer", &syscall.SysProcAttr{Setsid: true})
			waitForEnd(dialPeer())
		},
		"latecomer": func() {
			conn := dialPeer()
			_, _ = conn.Read(make([]byte, 1)) // until it is told to register
			_, err := fmt.Fprintln(conn, shim.Start(whoami{}))
			must(err)
		},
		"chaincode": func() { fmt.Fprintln(os.Stderr, shim.Start(whoami{})) },
		"print":     printHardLines,
		"report":    report,
		"peer":      runAsPeer,
		"files":     reportFiles,
		"keyholder": holdKeys,
	}
}

// whoami is a chaincode that answers with the ID of its process.
type whoami struct{}

func (whoami) Init(s shim.ChaincodeStubInterface) *shim.Response { return whoami{}.Invoke(s) }
func (whoami) Invoke(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte(strconv.Itoa(os.Getpid())))
}

// dialPeer dials the address that Go chaincode is given by default, or the one in testVar, and says who it is.
func dialPeer() net.Conn {
	network, address := "tcp", os.Args[2]
	if test, ok := os.LookupEnv(testVar); ok {
		address = test
	}
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		network, address = "unix", path
	}
	conn, err := net.Dial(network, address)
	must(err)
	_, err = fmt.Fprintln(conn, os.Getenv(childVar), os.Getpid())
	must(err)
	return conn
}

// waitForEnd returns when the test closes the connection.
func waitForEnd(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func fork(mode string, attr *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), childVar+"="+mode)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, attr
	must(cmd.Start())
}

func printHardLines() {
	long := bytes.Repeat([]byte("x"), 300_000)
	for _, b := range [][]byte{long, []byte("\n\n\nbinary \x00\xff\x1b[31m\r\n"), long, []byte("\nno newline é")} {
		_, err := os.Stdout.Write(b)
		must(err)
		_, err = os.Stderr.Write(b)
		must(err)
	}
}

// report prints what the chaincode was given.
func report() {
	for _, kv := range os.Environ() {
		fmt.Println("env", kv)
	}
	fmt.Println("args", strings.Join(os.Args[1:], " "))
	dir, err := os.Getwd()
	must(err)
	fmt.Println("dir", dir)
	in, err := io.ReadAll(os.Stdin)
	must(err)
	fmt.Printf("stdin %q\n", in)
	if pgid, err := syscall.Getpgid(0); err == nil && pgid == os.Getpid() {
		fmt.Println("leads its process group")
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	must(err)
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && filepath.Base(to) == openFile {
			fmt.Println("inherited", to)
		}
	}
}

// reportFiles prints what the files of the TLS settings are.
func reportFiles() {
	for _, kv := range os.Environ() {
		name, path, _ := strings.Cut(kv, "=")
		if !strings.Contains(name, "_TLS_") {
			continue
		}
		if !filepath.IsAbs(path) {
			fmt.Println(name, path)
			continue
		}
		content, err := os.ReadFile(path)
		must(err)
		file, err := os.Stat(path)
		must(err)
		dir, err := os.Stat(filepath.Dir(path))
		must(err)
		fmt.Println(name, filepath.Base(path), file.Mode(), dir.Mode(), string(content))
	}
}

// runAsPeer is a peer that runs a chaincode, to be killed.
func runAsPeer() {
	dialPeer()
	r, err := process.New(process.Config{
		Command:     os.Args[0],
		Env:         []string{childVar + "=stubborn"},
		PeerAddress: os.Args[2],
	})
	must(err)
	must(r.Run(context.Background(), "cc:1", nil))
}
