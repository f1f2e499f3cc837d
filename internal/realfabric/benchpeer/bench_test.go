//go:build linux

package benchpeer

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/shim"
)

var (
	rounds = flag.Int("rounds", 5, "how often each load is measured on each network")
	window = flag.Duration("window", 5*time.Second, "how long each time")
	// profiles is for BenchmarkOurs.
	profiles = flag.String("profiles", "", "a folder for CPU profiles of our network, one for each load")
)

// oursVar is what makes the test's program a network of this library.
const oursVar = "CCPEER_BENCH_OURS"

func TestMain(m *testing.M) {
	text := os.Getenv(oursVar)
	if text == "" {
		os.Exit(m.Run())
	}
	w, err := decodeWanted(text)
	if err == nil {
		err = serveOurs(context.Background(), w, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err)
		os.Exit(1)
	}
}

// The policies of Both and Either.
var policies = map[string]string{
	network.Both:   "AND('Org1MSP.peer', 'Org2MSP.peer')",
	network.Either: "OR('Org1MSP.peer', 'Org2MSP.peer')",
}

// measurements are the loads, by how the networks make blocks.
var measurements = []struct {
	batch ordering.Batch
	loads []load
}{
	{ordering.Batch{}, []load{
		{name: "submit, a block each, one client, one organization", clients: 1, chaincode: network.Either},
		{name: "submit, a block each, one client, both organizations", clients: 1, chaincode: network.Both},
		{name: "evaluate, one client", clients: 1, chaincode: network.Either, evaluate: true},
		{name: "evaluate, 64 clients", clients: 64, chaincode: network.Either, evaluate: true},
	}},
	{ordering.Batch{MaxMessageCount: 100, Timeout: 100 * time.Millisecond}, []load{
		{name: "submit, 100 a block, 64 clients, one organization", clients: 64, chaincode: network.Either},
		{name: "submit, 100 a block, 64 clients, both organizations", clients: 64, chaincode: network.Both},
		{name: "submit, 100 a block, 256 clients, one organization", clients: 256, chaincode: network.Either},
		{name: "submit, 100 a block, 256 clients, both organizations", clients: 256, chaincode: network.Both},
	}},
}

// BenchmarkBesideFabric takes each measurement of both networks in turns, and prints the medians and their ratios.
func BenchmarkBesideFabric(b *testing.B) {
	bin := b.TempDir()
	if err := network.Build(b.Context(), filepath.Join("..", "fabric"), bin); err != nil {
		b.Fatal(err)
	}
	var rows []row
	for _, m := range measurements {
		b.Run(fmt.Sprintf("blocks of %d", max(m.batch.MaxMessageCount, 1)), func(b *testing.B) {
			rows = append(rows, compare(b, bin, m.batch, m.loads)...)
		})
	}
	printTable(b, rows)
}

// BenchmarkOurs takes the measurements of our network alone, each on a fresh one.
func BenchmarkOurs(b *testing.B) {
	for _, m := range measurements {
		for _, l := range m.loads {
			b.Run(l.name, func(b *testing.B) {
				path := ""
				if *profiles != "" {
					path = filepath.Join(*profiles, strings.NewReplacer(",", "", " ", "-").Replace(l.name)+".pprof")
				}
				ours := startOurs(b, wanted{Batch: m.batch, Profile: path}, network.Puts())
				var samples []sample
				for range *rounds {
					s, err := l.run(b.Context(), ours, *window)
					if err != nil {
						b.Fatal(err)
					}
					samples = append(samples, s)
				}
				f := medians(samples)
				b.ReportMetric(0, "ns/op") // of a window
				b.ReportMetric(f.cpu.Seconds()*1e3, "cpu-ms/call")
				b.ReportMetric(f.p50.Seconds()*1e3, "p50-ms")
				b.ReportMetric(f.rate, "calls/s")
			})
		}
	}
}

// row is what was measured of a load, or of idle networks.
type row struct {
	name          string
	fabric, ours  []sample
	idle, idleOur int
}

// compare starts both networks, and measures each load on both in turns.
func compare(b *testing.B, bin string, batch ordering.Batch, loads []load) []row {
	fabric, ours := startFabric(b, bin, batch), startOurs(b, wanted{Batch: batch}, network.Puts())
	for _, n := range []*measured{fabric, ours} { // they are warm then
		awaitReady(b, n)
		warm := load{name: "warm up " + n.name, clients: 4, chaincode: network.Both}
		if _, err := warm.run(b.Context(), n, 2*time.Second); err != nil {
			b.Fatal(err)
		}
	}
	first := row{name: "memory after a few transactions"}
	var err error
	if first.idle, err = fabric.idle(); err != nil {
		b.Fatal(err)
	}
	if first.idleOur, err = ours.idle(); err != nil {
		b.Fatal(err)
	}
	rows := []row{first}
	for _, l := range loads {
		r := row{name: l.name}
		for range *rounds {
			f, err := l.run(b.Context(), fabric, *window)
			if err != nil {
				b.Fatalf("Fabric: %v", err)
			}
			o, err := l.run(b.Context(), ours, *window)
			if err != nil {
				b.Fatalf("ours: %v", err)
			}
			r.fabric, r.ours = append(r.fabric, f), append(r.ours, o)
		}
		rows = append(rows, r)
	}
	return rows
}

// awaitReady waits until a network's gateway has heard of both organizations' peers. Fabric's may take a moment.
func awaitReady(b *testing.B, n *measured) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := load{chaincode: network.Both}.call(ctx, n.client)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.Fatalf("%s isn't ready: %v", n.name, err)
		}
	}
}

func startFabric(b *testing.B, bin string, batch ordering.Batch) *measured {
	b.Helper()
	cfg := network.Config{MaxMessages: max(batch.MaxMessageCount, 1), Timeout: max(batch.Timeout, 10*time.Millisecond)}
	for name, policy := range policies {
		cfg.Chaincodes = append(cfg.Chaincodes, network.Chaincode{Name: name, Endorsement: policy, Program: network.Puts()})
	}
	n := network.StartWith(b, bin, cfg)
	path, err := n.WriteTarget(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return &measured{name: "Fabric", client: connected(b, path), pids: n.Processes()}
}

// startOurs starts a network of this library. Of w, it needs the fields that a benchmark chooses.
func startOurs(b *testing.B, w wanted, program shim.Chaincode) *measured {
	b.Helper()
	w.Dir, w.Chaincodes, w.Policies = b.TempDir(), map[string]string{}, policies
	for name := range policies {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		w.Chaincodes[name] = l.Addr().String()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = shim.Serve(ctx, shim.ChaincodeServer{
				CCID: name + ":" + network.Version, CC: program, Listener: l, TLSProps: shim.TLSProperties{Disabled: true},
			}) // it ends by its context
		}()
		b.Cleanup(func() {
			cancel()
			<-ended
		})
	}
	text, err := json.Marshal(w)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), oursVar+"="+string(text)), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("our network: %v", err)
		}
	})
	path, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	path = strings.TrimSpace(path)
	return &measured{name: "ours", path: path, client: connected(b, path), pids: map[string]int{"network": cmd.Process.Pid}}
}

func connected(b *testing.B, path string) *client {
	b.Helper()
	t, err := target.Read(path)
	if err != nil {
		b.Fatal(err)
	}
	c, err := connect(t)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.conn.Close() })
	return c
}

// printTable prints a table of medians.
func printTable(b *testing.B, rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nload\tFabric: calls/s\tp50\tCPU a call\tours: calls/s\tp50\tCPU a call\trate\tp50\tCPU\tclient's CPU")
	for _, r := range rows {
		if r.fabric == nil {
			_, _ = fmt.Fprintf(w, "%s\t%d MiB\t\t\t%d MiB\t\t\t%.2f\n", r.name, r.idle>>20, r.idleOur>>20, float64(r.idleOur)/float64(r.idle))
			continue
		}
		f, o := medians(r.fabric), medians(r.ours)
		_, _ = fmt.Fprintf(w, "%s\t%.0f\t%s\t%s\t%.0f\t%s\t%s\t%.2f\t%.2f\t%.2f\t%s, %s\n", r.name, f.rate, short(f.p50), short(f.cpu), o.rate, short(o.p50), short(o.cpu),
			o.rate/f.rate, float64(o.p50)/float64(f.p50), float64(o.cpu)/float64(f.cpu), short(f.client), short(o.client))
	}
	if err := w.Flush(); err != nil {
		b.Error(err)
	}
}

// figures are the medians of samples, each for itself.
type figures struct {
	rate             float64
	p50, cpu, client time.Duration
}

func medians(samples []sample) figures {
	var rates []float64
	var p50, cpu, client []time.Duration
	for _, s := range samples {
		rates, p50, cpu = append(rates, s.rate()), append(p50, s.p50), append(cpu, s.perCall())
		client = append(client, s.client/time.Duration(s.calls))
	}
	slices.Sort(rates)
	slices.Sort(p50)
	slices.Sort(cpu)
	slices.Sort(client)
	return figures{rates[len(rates)/2], p50[len(p50)/2], cpu[len(cpu)/2], client[len(client)/2]}
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
