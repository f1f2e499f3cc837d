// Package etcdtest runs clusters of etcd on this machine, for tests and measurements: every node is a process of its own,
// which can be killed. A program that uses it calls Main first of all:
//
//	func TestMain(m *testing.M) {
//		etcdtest.Main()
//		…
//	}
//
// The nodes listen on the loopback address alone, sync what they write, and end with the process that started them.
package etcdtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Config says what a cluster is like.
type Config struct {
	// Nodes is how many there are; 0 is 3.
	Nodes int
	// Dir is the folder below which the data are, until Stop removes them; empty is that for temporary files.
	Dir string
	// MaxTxnOps and MaxRequestBytes are the limits of etcd's flags of these names: operations, and bytes. 0 is 100,000
	// and 64 MiB; etcd's own defaults are 128 and 1.5 MiB.
	MaxTxnOps, MaxRequestBytes int
	// Quota is how many bytes the data of a node may have; 0 is 8 GiB.
	Quota int64
}

const (
	defaultNodes           = 3
	defaultMaxTxnOps       = 100_000
	defaultMaxRequestBytes = 64 << 20
	defaultQuota           = 8 << 30

	// Ports are taken from where systems don't take those of connections from.
	firstPort, ports = 15_000, 15_000
	// starts is how often Start tries, in case that somebody else takes a port.
	starts = 3
	// polling is how often Leader asks.
	polling = 20 * time.Millisecond
)

// Cluster is a running cluster. Its methods must not be called at the same time, except for Endpoints.
type Cluster struct {
	nodes     []node
	processes []*process // nil where there is none
	dir       string     // of the data
}

// Start starts a cluster and returns when it serves, or ctx has ended. Main must have been called.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	cfg = cfg.complete()
	if min(int64(cfg.Nodes), int64(cfg.MaxTxnOps), int64(cfg.MaxRequestBytes), cfg.Quota) < 0 {
		return nil, errors.New("a number in the configuration is less than 0")
	}
	if os.Getenv(variable) != "" { // or processes would start processes without end
		return nil, errors.New("the program is a node and goes on: Main must be called first of all")
	}
	var err error
	for range starts {
		var c *Cluster
		if c, err = start(ctx, cfg); err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, err
}

func (c Config) complete() Config {
	if c.Nodes == 0 {
		c.Nodes = defaultNodes
	}
	if c.MaxTxnOps == 0 {
		c.MaxTxnOps = defaultMaxTxnOps
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = defaultMaxRequestBytes
	}
	if c.Quota == 0 {
		c.Quota = defaultQuota
	}
	return c
}

func start(ctx context.Context, cfg Config) (*Cluster, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "etcdtest")
	if err != nil {
		return nil, errors.Wrap(err, "make data folder")
	}
	c := &Cluster{processes: make([]*process, cfg.Nodes), dir: dir}
	if err = c.configure(cfg); err == nil {
		for i := range c.nodes { // all of them, before any can be ready
			if c.processes[i], err = c.nodes[i].start(); err != nil {
				c.processes[i] = nil
				break
			}
		}
	}
	for i := 0; err == nil && i < cfg.Nodes; i++ {
		err = c.await(ctx, i)
	}
	if err != nil {
		_ = c.Stop() // there is an error already
		return nil, err
	}
	return c, nil
}

// configure gives the nodes their addresses.
func (c *Cluster) configure(cfg Config) error {
	free, err := freePorts(2 * cfg.Nodes)
	if err != nil {
		return err
	}
	var members []string
	for i := range cfg.Nodes {
		n := node{
			Name: fmt.Sprintf("node%d", i), Client: loopback(free[2*i]), Peer: loopback(free[2*i+1]),
			MaxTxnOps: cfg.MaxTxnOps, MaxRequestBytes: cfg.MaxRequestBytes, Quota: cfg.Quota,
		}
		n.Dir = filepath.Join(c.dir, n.Name)
		c.nodes = append(c.nodes, n)
		members = append(members, n.Name+"="+n.Peer)
	}
	for i := range c.nodes {
		c.nodes[i].Cluster = strings.Join(members, ",")
	}
	return nil
}

func loopback(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// freePorts returns ports that nobody listens on now.
func freePorts(n int) ([]int, error) {
	var free []int
	for range 100 * n {
		port := firstPort + rand.IntN(ports)
		if slices.Contains(free, port) {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, errors.Wrap(err, "close listener")
		}
		if free = append(free, port); len(free) == n {
			return free, nil
		}
	}
	return nil, errors.New("find free ports: too many are in use")
}

// await waits until a node serves.
func (c *Cluster) await(ctx context.Context, i int) error {
	p := c.processes[i]
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return errors.Errorf("%s has ended:\n%s", c.nodes[i].Name, &p.log)
	case <-ctx.Done():
		return errors.Wrapf(ctx.Err(), "wait for %s:\n%s", c.nodes[i].Name, &p.log)
	}
}

// Endpoints returns the client URLs of all nodes, in their order.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.Client)
	}
	return all
}

// Kill kills a node, by SIGKILL, and returns when it has ended. What it has written stays. It does nothing if the node
// was killed already.
func (c *Cluster) Kill(i int) error {
	if c.processes[i] == nil {
		return nil
	}
	err := c.processes[i].kill()
	if err == nil {
		c.processes[i] = nil
	}
	return err
}

// Pause keeps a node from running until Resume: it keeps its connections, but answers nothing.
func (c *Cluster) Pause(i int) error {
	if c.processes[i] == nil {
		return errors.Errorf("node %d was killed", i)
	}
	return c.processes[i].signal(sigPause)
}

// Resume has a node run again that was paused.
func (c *Cluster) Resume(i int) error {
	if c.processes[i] == nil {
		return errors.Errorf("node %d was killed", i)
	}
	return c.processes[i].signal(sigResume)
}

// Restart starts nodes again that were killed, with the same addresses and data, and returns when they serve, which
// takes a majority that runs.
func (c *Cluster) Restart(ctx context.Context, nodes ...int) error {
	for _, i := range nodes {
		if c.processes[i] != nil {
			return errors.Errorf("node %d is running", i)
		}
		p, err := c.nodes[i].start()
		if err != nil {
			return err
		}
		c.processes[i] = p
	}
	for _, i := range nodes {
		if err := c.await(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// Leader returns the node that leads the cluster. It waits until there is one.
func (c *Cluster) Leader(ctx context.Context) (int, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		return 0, errors.Wrap(err, "connect")
	}
	defer func() { _ = client.Close() }() // nothing was written
	ticker := time.NewTicker(polling)
	defer ticker.Stop()
	for {
		for i := range c.nodes {
			if c.processes[i] != nil && c.leads(ctx, client, i) {
				return i, nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, errors.Wrap(ctx.Err(), "find the leader")
		}
	}
}

// leads says whether a node says that it leads, which it may think for a while after a majority has another leader.
func (c *Cluster) leads(ctx context.Context, client *clientv3.Client, i int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, err := client.Status(ctx, c.nodes[i].Client)
	return err == nil && status.Leader == status.Header.MemberId
}

// Stop kills all nodes and removes their data.
func (c *Cluster) Stop() error {
	var first error
	for i := range c.nodes {
		if err := c.Kill(i); err != nil && first == nil {
			first = err
		}
	}
	if err := os.RemoveAll(c.dir); err != nil && first == nil {
		first = errors.Wrap(err, "remove data folder")
	}
	return first
}
