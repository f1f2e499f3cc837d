package benchpeer

import (
	"maps"
	"os"
	"slices"
	"time"
)

// measured is a network that is measured.
type measured struct {
	name   string
	path   string // of its description; empty for Fabric's
	client *client
	pids   map[string]int // of its processes, by what they are
}

// usage returns for how long the network's processes have computed, and this one.
func (n *measured) usage() (network map[string]time.Duration, client time.Duration, err error) {
	network = map[string]time.Duration{}
	for _, name := range slices.Sorted(maps.Keys(n.pids)) {
		if network[name], err = cpuTime(n.pids[name]); err != nil {
			return nil, 0, err
		}
	}
	client, err = cpuTime(os.Getpid())
	return network, client, err
}

// idle returns how many bytes of memory the network has.
func (n *measured) idle() (sum int, err error) {
	for _, pid := range n.pids {
		m, err := resident(pid)
		if err != nil {
			return 0, err
		}
		sum += m
	}
	return sum, nil
}
