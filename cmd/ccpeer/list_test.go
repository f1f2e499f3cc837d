package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
)

// writeProgram writes a program.
func writeProgram(t *testing.T, path, text string) {
	t.Helper()
	write1(t, path, text)
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// writeBuilder makes a builder whose packages are the probe, whatever is in them.
func writeBuilder(t *testing.T, dir string) {
	t.Helper()
	writeProgram(t, filepath.Join(dir, "bin/detect"), "#!/bin/sh\n")
	writeProgram(t, filepath.Join(dir, "bin/build"), "#!/bin/sh\ncp -r \"$1\"/. \"$3\"\n")
	writeProgram(t, filepath.Join(dir, "bin/release"), "#!/bin/sh\n[ ! -d \"$1\"/META-INF ] || cp -r \"$1\"/META-INF/. \"$2\"\n")
	writeProgram(t, filepath.Join(dir, "bin/run"), "#!/bin/sh\n"+playRun+"=\"$2\" exec "+os.Args[0]+"\n")
}

// startServer starts the probe as a server.
func startServer(t *testing.T, address string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playServer+"="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// listed returns the chaincodes of a peer, by name.
func (s *served) listed(t *testing.T) map[string]chaincodeJSON {
	t.Helper()
	r := ccpeer(t, "chaincode", "list", "--json", "--api", s.api)
	r.check(t, exitOK, "{\n  ")
	var l listJSON
	if err := json.Unmarshal([]byte(r.stdout), &l); err != nil {
		t.Fatalf("%s: %v", r.stdout, err)
	}
	all := map[string]chaincodeJSON{}
	for _, c := range l.Chaincodes {
		all[c.Name] = c
	}
	return all
}

// await returns what is listed of a chaincode when it is as it should be.
func (s *served) await(t *testing.T, name string, good func(chaincodeJSON) bool) chaincodeJSON {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c := s.listed(t)[name]
		if good(c) {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("chaincode %s is still %+v", name, c)
		}
	}
}

// pid returns the process of a probe.
func (s *served) pid(t *testing.T, name string) int {
	t.Helper()
	r := ccpeer(t, "query", "-n", name, "-c", `{"Args":["pid"]}`, "--api", s.api)
	pid, err := strconv.Atoi(strings.TrimSpace(r.stdout))
	if err != nil {
		t.Fatalf("%s: %v %s", name, r, s.stderr)
	}
	return pid
}

// TestServeConfig runs chaincode in every way that a configuration knows, and lists it.
func TestServeConfig(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "p") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	writeBuilder(t, filepath.Join(dir, "builder"))
	code := map[string]string{"META-INF/statedb/couchdb/indexes/size.json": `{"index":{"fields":["size"]},"ddoc":"sizeDoc","name":"size","type":"json"}`}
	write1(t, filepath.Join(dir, "pkg.tar.gz"), packageText(t, "packaged", "probe", code))
	write1(t, filepath.Join(dir, "connection.json"), `{"address": "unix://`+dir+`/served", "dial_timeout": "20s"}`)
	write1(t, filepath.Join(dir, "ccpeer.yaml"), `
listen: 127.0.0.1:0
api: 127.0.0.1:0
ledger: pebble:data
builders: [{name: test, path: builder}]
builds: builds
chaincodes:
  probe: {version: 2.0, runtime: {process: {command: `+os.Args[0]+`, args: [one, "{{.ChaincodeID}}"]}}, restart: on-failure, pause: 10ms}
  never: {runtime: {process: {command: `+os.Args[0]+`}}}
  packaged: {runtime: {package: {file: pkg.tar.gz}}}
  served: {runtime: {server: {connection: connection.json}}}
  started: {runtime: {server: {address: "unix:started", command: `+os.Args[0]+`, args: ["for {{.ChaincodeID}}"], env: {`+playServer+`: "{{.PeerAddress}}"}}}}
  broken: {runtime: {server: {address: "unix:broken", command: /bin/sh, args: [-c, "echo no licence >&2; exit 7"]}}}
`)
	server := startServer(t, "unix://"+dir+"/served")
	s := startServing(t, t.TempDir(), "--config", filepath.Join(dir, "ccpeer.yaml"))
	if !s.secure || s.ledger != "pebble:"+dir+"/data" || s.channels != "mychannel (1 block)" {
		t.Errorf("the peer is %+v", s)
	}
	wantNotLaunched(t, s)
	useConfigured(t, s)
	t.Run("restart", func(t *testing.T) { restartsKilled(t, s) })
	t.Run("server", func(t *testing.T) { serverGone(t, s, server) })
	t.Run("in flight", func(t *testing.T) { inFlight(t, s) })
	s.stop(t)
}

// wantNotLaunched looks at what TestServeConfig has configured, before it is called.
func wantNotLaunched(t *testing.T, s *served) {
	t.Helper()
	want := map[string]chaincodeJSON{
		"probe":    {ID: "probe:2.0", Runtime: byProcess},
		"never":    {ID: "never:1.0", Runtime: byProcess},
		"packaged": {Runtime: byPackage}, // its ID has a hash: see useConfigured
		"served":   {ID: "served:1.0", Runtime: byServer},
		"started":  {ID: "started:1.0", Runtime: byServer},
		"broken":   {ID: "broken:1.0", Runtime: byServer},
	}
	list := s.listed(t)
	if len(list) != len(want) {
		t.Errorf("%d chaincodes are listed, want %d: %+v", len(list), len(want), list)
	}
	for name, w := range want {
		w.Peer, w.Name, w.State = "peer0.Org1MSP", name, notLaunched
		got := list[name]
		if name == "packaged" {
			w.ID = got.ID
		}
		if got != w {
			t.Errorf("before it is called, %s is %+v, want %+v", name, got, w)
		}
	}
}

// useConfigured calls what TestServeConfig has configured.
func useConfigured(t *testing.T, s *served) {
	t.Helper()
	pids := map[int]string{}
	for name, want := range map[string]string{"probe": byProcess, "packaged": byPackage, "served": byServer, "started": byServer} {
		pid := s.pid(t, name)
		if other := pids[pid]; other != "" {
			t.Errorf("%s and %s are one process", name, other)
		}
		pids[pid] = name
		ccpeer(t, "invoke", "-n", name, "-c", `{"Args":["put","k","v"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
		if c := s.listed(t)[name]; c.State != "ready" || c.Runtime != want || c.Uptime <= 0 || c.Since == nil || c.LastError != "" || c.Restarts+c.InFlight > 0 {
			t.Errorf("when it has been called, %s is %+v", name, c)
		}
	}
	list := s.listed(t)
	if id := list["packaged"].ID; !strings.HasPrefix(id, "packaged:") || len(id) != len("packaged:")+64 {
		t.Errorf("the chaincode ID of a package is %s", id)
	}
	if list["probe"].ID != "probe:2.0" || list["never"].State != notLaunched {
		t.Errorf("the list is %+v", list)
	}
	ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["arguments"]}`, "--api", s.api).check(t, exitOK, "one probe:2.0\n")
	ccpeer(t, "query", "-n", "started", "-c", `{"Args":["arguments"]}`, "--api", s.api).check(t, exitOK, "for started:1.0\n")
	ccpeer(t, "query", "-n", "broken", "-c", `{"Args":["get","k"]}`, "--api", s.api).check(t, exitFailed, "container exited with 7: no licence")
	ccpeer(t, "chaincode", "list", "--wide", "--api", s.api).check(t, exitOK, "  container exited with 7: no licence\n    no licence\n")
	if c := s.listed(t)["broken"]; c.LastError != "container exited with 7: no licence" || c.LastOutput != "no licence" {
		t.Errorf("a server that ends when it is started is %+v", c)
	}
	// The package has brought its index.
	ccpeer(t, "explain", "-n", "packaged", `{"selector":{"size":1}}`, "--api", s.api).check(t, exitOK, `json index "sizeDoc/size"`)
	text := ccpeer(t, "chaincode", "list", "--api", s.api)
	text.check(t, exitOK, "\nprobe     probe:2.0           ready         process  ")
	text.check(t, exitOK, "NAME      ID                  STATE         RUNTIME  UPTIME  RESTARTS  IN FLIGHT  LAST ERROR\n"+
		"broken    broken:1.0          stopped       server   -       0         0          container exited with 7: no licence\n"+
		"never     never:1.0           not launched  process  -       0         0\n")
}

// restartsKilled kills a chaincode that is launched again when it fails, without being called.
func restartsKilled(t *testing.T, s *served) {
	pid := s.pid(t, "probe")
	for restarts := 1; restarts <= 2; restarts++ {
		kill(t, pid)
		c := s.await(t, "probe", func(c chaincodeJSON) bool { return c.State == "ready" && c.Restarts == restarts })
		if !strings.Contains(c.LastError, "container exited with 137 (killed)") {
			t.Errorf("its last error is %q", c.LastError)
		}
		before := pid
		if pid = s.pid(t, "probe"); pid == before {
			t.Error("it is the same process")
		}
	}
	ccpeer(t, "chaincode", "list", "--api", s.api).check(t, exitOK, "container exited with 137 (killed)")
}

// serverGone ends a server, which is not dialled again before it is called.
func serverGone(t *testing.T, s *served, server *exec.Cmd) {
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	c := s.await(t, "served", func(c chaincodeJSON) bool { return c.State == "stopped" })
	if c.Restarts != 0 || c.LastError == "" || c.Uptime != 0 {
		t.Errorf("without its server it is %+v", c)
	}
	address, _ := strings.CutPrefix(server.Env[len(server.Env)-1], playServer+"=")
	if err := os.Remove(strings.TrimPrefix(address, "unix://")); err != nil { // the one that was killed has left it
		t.Fatal(err)
	}
	startServer(t, address)
	s.pid(t, "served")
	if c := s.listed(t)["served"]; c.State != "ready" || c.Restarts != 1 {
		t.Errorf("with another server it is %+v", c)
	}
}

// inFlight lists a chaincode while a transaction runs on it.
func inFlight(t *testing.T, s *served) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	makePipe(t, pipe)
	called := make(chan result)
	go func() {
		called <- ccpeer(t, "invoke", "-n", "packaged", "-c", `{"Args":["wait","`+pipe+`"]}`, "--api", s.api)
	}()
	release, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the chaincode waits
	if err != nil {
		t.Fatal(err)
	}
	if c := s.listed(t)["packaged"]; c.InFlight != 1 || c.State != "ready" {
		t.Errorf("while a transaction runs it is %+v", c)
	}
	if err := release.Close(); err != nil {
		t.Fatal(err)
	}
	(<-called).check(t, exitOK, "(VALID)")
	if c := s.listed(t)["packaged"]; c.InFlight != 0 {
		t.Errorf("then it is %+v", c)
	}
}

func TestPrintList(t *testing.T) {
	since := time.Now()
	const long = "container exited with 1: \x1b[31m" + "a very long text that says what has gone wrong, and where, and more"
	l := &listJSON{Chaincodes: []chaincodeJSON{
		{Name: "a", ID: "a:1.0", State: notLaunched, Runtime: byProcess},
		{Name: "b", ID: "label:" + strings.Repeat("0123456789abcdef", 4), State: "ready", Runtime: byPackage, Since: &since, Uptime: 3725, Restarts: 12, InFlight: 3, LastError: long},
	}}
	var b bytes.Buffer
	l.print(&b, false)
	want := `NAME  ID               STATE         RUNTIME  UPTIME  RESTARTS  IN FLIGHT  LAST ERROR
a     a:1.0            not launched  process  -       0         0
b     label:01234567…  ready         package  1h02m   12        3          "container exited with 1: \x1b[31ma very long text that says wha"…
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	b.Reset()
	l.print(&b, true)
	if text := b.String(); !strings.HasPrefix(text, "\x1b[1mNAME ") || !strings.Contains(text, "\x1b[31m\"container") {
		t.Errorf("in colours it is %q", text)
	}
}

// With --wide, nothing of an error is cut, and what was printed stands below it, line by line.
func TestPrintWideList(t *testing.T) {
	long := "container exited with 2: panic: " + strings.Repeat("no contract ", 20) + "\tin \x1b[31mred"
	l := &listJSON{wide: true, Chaincodes: []chaincodeJSON{
		{Name: "a", ID: "a:1.0", State: "stopped", Runtime: byProcess, LastError: long + "\nb     b:1.0  ready", LastOutput: "panic: no contract\n\tmain.go:16\n\x1b]0;x\a"},
		{Name: "b", ID: "b:1.0", State: notLaunched, Runtime: byProcess},
	}}
	var b bytes.Buffer
	l.print(&b, false)
	want := `NAME  ID     STATE         RUNTIME  UPTIME  RESTARTS  IN FLIGHT  LAST ERROR
a     a:1.0  stopped       process  -       0         0          container exited with 2: panic: ` + strings.Repeat("no contract ", 20) + ` in \x1b[31mred
    b     b:1.0  ready
    panic: no contract
    	main.go:16
    "\x1b]0;x\a"
b     b:1.0  not launched  process  -       0         0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestShowUptime(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0s", 59.9: "59s", 60: "1m00s", 3599: "59m59s", 3600: "1h00m", 2*86400 - 1: "47h59m", 2 * 86400: "2d00h", 1e7: "115d17h",
	} {
		if got := showUptime(seconds); got != want {
			t.Errorf("%g seconds are shown as %s, want %s", seconds, got, want)
		}
	}
}

// A chaincode that has connected by itself is one that nobody has configured.
func TestListed(t *testing.T) {
	since := time.Now().Add(-time.Hour)
	known := chaincodeJSON{Name: "a", ID: "id", State: notLaunched, Runtime: byPackage}
	for _, c := range []struct {
		known chaincodeJSON
		s     chaincodesupport.Status
		want  string
	}{
		{known, chaincodesupport.Status{ChaincodeID: "id", Since: since, State: chaincodesupport.Restarting, LastError: os.ErrExist}, "a id restarting package file already exists"},
		{chaincodeJSON{}, chaincodesupport.Status{ChaincodeID: "b:1.0", Since: since, External: true, State: chaincodesupport.Ready}, "b b:1.0 ready dev "},
		{known, chaincodesupport.Status{ChaincodeID: "id", Since: since, External: true, State: chaincodesupport.Ready}, "id id ready dev "},
		{chaincodeJSON{Name: "a", ID: "a:1", Runtime: byAttach}, chaincodesupport.Status{ChaincodeID: "a:1", Since: since, External: true,
			State: chaincodesupport.Ready}, "a a:1 ready attach "},
	} {
		got := c.known.with(c.s)
		if text := fmt.Sprint(got.Name, " ", got.ID, " ", got.State, " ", got.Runtime, " ", got.LastError); text != c.want || (got.Uptime > 3599) != (got.State == "ready") {
			t.Errorf("%+v is %+v, want %s", c.s, got, c.want)
		}
	}
}
