package harness

import (
	"time"

	"github.com/ccpeer/ccpeer/internal/bench/child"
)

// Figures are what one measurement of one round gave, for one operation: a transaction, or, where the operation is
// measured as a slope, a request.
type Figures struct {
	// Latency, the median of the window's operations, and P99 are nanoseconds. A slope's are those of whole
	// transactions, divided among their requests.
	Latency float64 `json:"latency"`
	P99     float64 `json:"p99"`
	// PerSecond is how many operations were completed in a second, by all callers together.
	PerSecond float64 `json:"per_second"`
	// CPU time in nanoseconds, and objects allocated, in each process.
	PeerCPU         float64 `json:"peer_cpu"`
	PeerAllocs      float64 `json:"peer_allocs"`
	ChaincodeCPU    float64 `json:"chaincode_cpu"`
	ChaincodeAllocs float64 `json:"chaincode_allocs"`
}

// time is how long the callers took for each operation, in nanoseconds.
func (f Figures) time() float64 { return float64(time.Second) / f.PerSecond }

func (f Figures) cpu() float64 { return f.PeerCPU + f.ChaincodeCPU }

// over returns what one of n requests costs, given the figures of a transaction with none.
func (f Figures) over(none Figures, n int) Figures {
	each := func(with, without float64) float64 { return (with - without) / float64(n) }
	return Figures{
		Latency:         each(f.Latency, none.Latency),
		P99:             each(f.P99, none.Latency),
		PerSecond:       float64(time.Second) / each(f.time(), none.time()),
		PeerCPU:         each(f.PeerCPU, none.PeerCPU),
		PeerAllocs:      each(f.PeerAllocs, none.PeerAllocs),
		ChaincodeCPU:    each(f.ChaincodeCPU, none.ChaincodeCPU),
		ChaincodeAllocs: each(f.ChaincodeAllocs, none.ChaincodeAllocs),
	}
}

// measure takes one operation's figures. A slope shares the window among its two ends.
//
// A single caller's processes take turns. Where the kernel puts them on different CPUs, which is by chance and for a
// while, each turn has to wake the other CPU, and that may cost a virtual machine several times the message. So they
// share one CPU, on the floor as above it.
func (p *processes) measure(o op, callers int, window time.Duration) (Figures, error) {
	if err := p.bind(callers == 1); err != nil {
		return Figures{}, err
	}
	l := child.Load{Op: o.name, Requests: o.requests, Callers: callers, Window: window}
	if o.requests == 0 {
		return p.load(l)
	}
	l.Window /= 2
	with, err := p.load(l)
	if err != nil {
		return Figures{}, err
	}
	l.Requests = 0
	without, err := p.load(l)
	return with.over(without, o.requests), err
}

func (p *processes) bind(one bool) error {
	if err := p.peer.Bind(one); err != nil {
		return err
	}
	if p.chaincode == nil {
		return nil
	}
	return p.chaincode.Bind(one)
}

// load runs a load, after a tenth of it that does not count, and takes both processes' usage around it.
func (p *processes) load(l child.Load) (Figures, error) {
	warmUp := l
	warmUp.Window /= 10
	if _, err := p.driver.Run(warmUp); err != nil {
		return Figures{}, err
	}
	other := p.peer
	if p.driver == p.peer {
		other = p.chaincode
	}
	before, err := usageOf(other)
	if err != nil {
		return Figures{}, err
	}
	sample, err := p.driver.Run(l)
	if err != nil {
		return Figures{}, err
	}
	after, err := usageOf(other)
	if err != nil {
		return Figures{}, err
	}
	if p.driver == p.peer {
		return figures(sample, sample.Usage, after.Sub(before)), nil
	}
	return figures(sample, after.Sub(before), sample.Usage), nil
}

// usageOf returns nothing for a process that there is not.
func usageOf(p *child.Process) (child.Usage, error) {
	if p == nil {
		return child.Usage{}, nil
	}
	return p.Usage()
}

func figures(s child.Sample, peer, chaincode child.Usage) Figures {
	n := float64(s.Ops)
	return Figures{
		Latency:         s.P50,
		P99:             s.P99,
		PerSecond:       n / s.Elapsed.Seconds(),
		PeerCPU:         float64(peer.CPU) / n,
		PeerAllocs:      float64(peer.Mallocs) / n,
		ChaincodeCPU:    float64(chaincode.CPU) / n,
		ChaincodeAllocs: float64(chaincode.Mallocs) / n,
	}
}
