package etcdtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/server/v3/embed"
)

const (
	// variable is what tells a process that it is a node, and which one.
	variable = "CCPEER_ETCDTEST_NODE"
	// ready is what a node prints when it serves.
	ready = "ready"
	// kept is how much of what a node logs is kept: the end.
	kept = 16 << 10
)

// node is what a process has to know to be one.
type node struct {
	Name, Dir    string
	Client, Peer string // URLs
	Cluster      string // names and peer URLs of all nodes

	MaxTxnOps, MaxRequestBytes int
	Quota                      int64
}

// Main makes a process that Start has started the node of a cluster: it then doesn't return. Otherwise it does nothing.
// It must be called first of all in main or TestMain, since nodes are processes of the same program.
func Main() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	if err := serve(text); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

func serve(text string) error {
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return errors.Wrap(err, "decode node")
	}
	cfg, err := n.config()
	if err != nil {
		return err
	}
	// Where a system has no Pdeathsig, this is how a node notices that whoever started it has ended.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return errors.Wrap(err, "start etcd")
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		return errors.Wrap(err, "serve")
	}
	if _, err := fmt.Fprintln(os.Stdout, ready); err != nil {
		return err
	}
	return errors.Wrap(<-e.Err(), "serve")
}

func (n node) config() (*embed.Config, error) {
	client, err := url.Parse(n.Client)
	if err != nil {
		return nil, errors.Wrap(err, "parse client URL")
	}
	peer, err := url.Parse(n.Peer)
	if err != nil {
		return nil, errors.Wrap(err, "parse peer URL")
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.InitialCluster = n.Name, n.Dir, n.Cluster
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.MaxTxnOps, cfg.MaxRequestBytes, cfg.QuotaBackendBytes = uint(n.MaxTxnOps), uint(n.MaxRequestBytes), n.Quota
	cfg.BcryptCost = 4 // the least: nobody tries to guess passwords here
	cfg.LogLevel, cfg.LogOutputs = "warn", []string{"stderr"}
	return cfg, nil
}

// process is a node that was started.
type process struct {
	cmd    *exec.Cmd
	ready  chan struct{} // closed when it serves
	exited chan struct{} // closed when it has ended
	log    tail
}

// start starts the node, and does not wait until it serves.
func (n node) start() (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Wrap(err, "find own program")
	}
	text, err := json.Marshal(n)
	if err != nil {
		return nil, errors.Wrap(err, "encode node")
	}
	p := &process{cmd: exec.Command(self), ready: make(chan struct{}), exited: make(chan struct{})}
	// With the race detector, a program otherwise takes a second to exit.
	p.cmd.Env = append(os.Environ(), variable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	p.cmd.Dir = filepath.Dir(n.Dir)
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = attributes()
	if _, err := p.cmd.StdinPipe(); err != nil { // it is closed when this process ends
		return nil, errors.Wrap(err, "make standard input")
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Wrap(err, "make standard output")
	}
	started := make(chan error)
	go func() {
		// Linux sends Pdeathsig when the thread ends that has started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.watch(stdout)
		}
	}()
	return p, errors.Wrap(<-started, "start node")
}

// watch returns when the process has ended.
func (p *process) watch(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for said := false; lines.Scan(); {
		if !said && lines.Text() == ready {
			said = true
			close(p.ready)
		}
	}
	_ = p.cmd.Wait() // the log says more
	close(p.exited)
}

// signal does nothing if the process has ended.
func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return errors.Wrapf(err, "send %s", sig)
}

// kill returns when the process has ended.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if err == nil {
		<-p.exited
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - kept; over > 0 {
		t.text = t.text[over:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
