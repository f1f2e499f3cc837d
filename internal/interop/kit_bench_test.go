package interop_test

import (
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// BenchmarkKitNode is a network of chaincodetest from its beginning to the first transaction of chaincode for Node, on fabric-shim, and its
// end. The chaincode's own CPU time is told apart.
func BenchmarkKitNode(b *testing.B) {
	install(b)
	began, before := time.Now(), childrenTime(b)
	for b.Loop() {
		t := &quiet{TB: b}
		net := chaincodetest.New(t)
		net.Deploy("clock", chaincodetest.Command{
			Path: command(b, "node"), Args: []string{"day.js", "start", "--peer.address", "{{.PeerAddress}}"}, Dir: projectDir(b, "shim25"),
		})
		net.As("alice").Submit("clock", "Put").OK()
		t.end()
	}
	n := float64(b.N)
	b.ReportMetric(float64(time.Since(began).Milliseconds())/n, "ms/first")
	b.ReportMetric(float64((childrenTime(b)-before).Milliseconds())/n, "node-cpu-ms/first")
	b.ReportMetric(0, "ns/op")
}

// childrenTime is how long processes that have ended had a CPU.
func childrenTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quiet is a testing.TB that ends when it is told to, and prints nothing.
type quiet struct {
	testing.TB
	cleanups []func()
}

func (q *quiet) Output() io.Writer { return io.Discard }
func (q *quiet) Cleanup(f func())  { q.cleanups = append(q.cleanups, f) }

func (q *quiet) end() {
	for _, f := range slices.Backward(q.cleanups) {
		f()
	}
}
