// Package child runs the processes of the benchmark: the harness starts its own executable again in a role
// ([Self], [Start]), and asks the process for things, one JSON line each way over its standard input and output
// ([Serve] is the other end). A child ends when its standard input does, so none outlives the harness.
package child

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pkg/errors"
)

// Marker is the first argument of a process that Self describes; the role follows.
const Marker = "child"

const (
	// answerTimeout is how long a child may take to answer, beyond the window of its load, before it is killed.
	answerTimeout = 30 * time.Second
	// stopTimeout is how long a child may take to end once it has been told to, before it is killed.
	stopTimeout = 5 * time.Second
)

// Load is what a child is asked to do in one window.
type Load struct {
	// Op is the operation, by the name that the child knows it by.
	Op string `json:"op"`
	// Requests is how many requests one operation makes, for those where it varies.
	Requests int `json:"requests"`
	// Callers is how many operations are kept going at once.
	Callers int `json:"callers"`
	// Window is how long new operations are begun; those that are under way at its end are finished and counted.
	Window time.Duration `json:"window"`
}

// Sample is what came of a Load.
type Sample struct {
	Ops     int           `json:"ops"`
	Elapsed time.Duration `json:"elapsed"`
	// P50 and P99 are quantiles of the time that an operation took, in nanoseconds.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	// Usage is what the process that ran the load used in the meantime.
	Usage Usage `json:"usage"`
}

// Usage is what a process has used since it began.
type Usage struct {
	// CPU is user and system time, of all threads.
	CPU time.Duration `json:"cpu"`
	// Mallocs is the number of heap objects allocated.
	Mallocs uint64 `json:"mallocs"`
}

// Sub returns what was used since before.
func (u Usage) Sub(before Usage) Usage {
	return Usage{CPU: u.CPU - before.CPU, Mallocs: u.Mallocs - before.Mallocs}
}

// order is a line to a child: a load to run, CPUs to use from now on, or, without either, a question for its usage.
type order struct {
	Load *Load `json:"load,omitempty"`
	CPUs *cpus `json:"cpus,omitempty"`
}

// cpus are the CPUs that a child may use: all that it could at its start, or the first of them.
type cpus struct {
	One bool `json:"one"`
}

// reply is a line from a child: the first one unasked, when it is ready.
type reply struct {
	Address string `json:"address,omitempty"`
	Sample  Sample `json:"sample,omitzero"`
	Usage   Usage  `json:"usage,omitzero"`
	Error   string `json:"error,omitempty"`
}

// Process is a child, seen from the harness. Its methods must not be called concurrently.
type Process struct {
	// Address is what the child said of itself when it was ready: where it listens, for one that does.
	Address string

	role    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	orders  *json.Encoder
	replies *json.Decoder
}

// Self returns a command that runs this executable in a role.
func Self(role string, args ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, errors.Wrap(err, "find own executable")
	}
	return exec.Command(exe, append([]string{Marker, role}, args...)...), nil
}

// Start starts cmd, any program that calls Serve, and waits until it says that it is ready. The role is for errors.
func Start(role string, cmd *exec.Cmd) (*Process, error) {
	cmd.Stderr = os.Stderr
	dieWithParent(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Wrapf(err, "make standard input of %s", role)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Wrapf(err, "make standard output of %s", role)
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Wrapf(err, "start %s", role)
	}
	p := &Process{
		role: role, cmd: cmd, stdin: stdin,
		orders: json.NewEncoder(stdin), replies: json.NewDecoder(bufio.NewReader(stdout)),
	}
	ready, err := p.read(answerTimeout)
	if err != nil {
		_ = p.Close() // that it did not start says more
		return nil, err
	}
	p.Address = ready.Address
	return p, nil
}

// StartSelf starts this executable in a role.
func StartSelf(role string, args ...string) (*Process, error) {
	cmd, err := Self(role, args...)
	if err != nil {
		return nil, err
	}
	return Start(role, cmd)
}

// Run has the child run a load, and returns when it has.
func (p *Process) Run(l Load) (Sample, error) {
	r, err := p.ask(order{Load: &l}, l.Window+answerTimeout)
	return r.Sample, err
}

// Usage asks the child what it has used since it began.
func (p *Process) Usage() (Usage, error) {
	r, err := p.ask(order{}, answerTimeout)
	return r.Usage, err
}

// Bind has the child use one CPU, the same for every child, or all of them again.
func (p *Process) Bind(one bool) error {
	_, err := p.ask(order{CPUs: &cpus{One: one}}, answerTimeout)
	return err
}

// Close tells the child to end and waits until it has. A child that does not end is killed, which is an error.
func (p *Process) Close() error {
	closeErr := p.stdin.Close()
	overdue := time.AfterFunc(stopTimeout, p.kill)
	defer overdue.Stop()
	if err := p.cmd.Wait(); err != nil {
		return errors.Wrapf(err, "end %s", p.role)
	}
	return errors.Wrapf(closeErr, "close standard input of %s", p.role)
}

func (p *Process) ask(o order, timeout time.Duration) (reply, error) {
	if err := p.orders.Encode(o); err != nil {
		return reply{}, errors.Wrapf(err, "write to %s", p.role)
	}
	return p.read(timeout)
}

// read kills the child if it does not answer in time: its standard output ends then.
func (p *Process) read(timeout time.Duration) (reply, error) {
	overdue := time.AfterFunc(timeout, p.kill)
	defer overdue.Stop()
	var r reply
	if err := p.replies.Decode(&r); err != nil {
		return reply{}, errors.Wrapf(err, "read from %s, which has %s to answer", p.role, timeout)
	}
	if r.Error != "" {
		return reply{}, errors.Errorf("%s: %s", p.role, r.Error)
	}
	return r, nil
}

func (p *Process) kill() { _ = p.cmd.Process.Kill() } // a process that has ended already is as good
