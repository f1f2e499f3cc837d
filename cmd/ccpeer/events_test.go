package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// follower is ccpeer events -f, as a process.
type follower struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

func follow(t *testing.T, args ...string) *follower {
	t.Helper()
	needsSignals(t)
	f := &follower{cmd: peerCommand(t.Context(), t.TempDir(), append([]string{"events", "-f", "--json"}, args...)...)}
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	f.lines = bufio.NewReader(stdout)
	return f
}

// next waits for an event, and returns its payload.
func (f *follower) next(t *testing.T) string {
	t.Helper()
	line, err := f.lines.ReadBytes('\n')
	var tx eventTxJSON
	if err != nil || json.Unmarshal(line, &tx) != nil || tx.Event == nil {
		t.Fatalf("got %q, %v", line, err)
	}
	return tx.Event.Name + " " + tx.Event.Payload.String()
}

// end ends it as Ctrl-C does.
func (f *follower) end(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Wait(); err != nil {
		t.Errorf("ccpeer events -f, after Ctrl-C: %v", err)
	}
}

// Events are those of a chaincode, those that there are and those to come. Without a name, all transactions are shown.
func TestServeEvents(t *testing.T) {
	t.Parallel()
	s := servePeer(t, anyPort...)
	invoke := func(args string) {
		t.Helper()
		ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":[`+args+`]}`, "--api", s.api).check(t, exitOK, "VALID")
	}
	invoke(`"tell","one"`)
	f := follow(t, "-n", "probe", "--from", "0", "--api", s.api)
	if got := f.next(t); got != "Told one" {
		t.Errorf("got %s", got)
	}
	invoke(`"put","k","v"`)
	invoke(`"tell","<two>"`)
	if got := f.next(t); got != "Told <two>" {
		t.Errorf("got %s", got)
	}
	f.end(t)

	for _, c := range []struct{ args, want, not string }{
		{"-n probe", "    Told = <two>\n", "probe put"},
		{"-n other", "", "Told"},
		{"", "client@Org1MSP  probe put\n", "absent"},
		{"", "VALID  CONFIG\n", "absent"},
		{"", "VALID  client@Org1MSP  probe tell\n    Told = one\n", "absent"},
		{"--from 1000", "", "probe"},
		{"--json", `"event":{"chaincode":"probe","name":"Told","payload":{"base64":"PHR3bz4=","text":"<two>"}}`, "absent"},
	} {
		r := ccpeer(t, append([]string{"events", "--api", s.api}, strings.Fields(c.args)...)...)
		r.check(t, exitOK, c.want)
		if strings.Contains(r.stdout, c.not) {
			t.Errorf("events %s: %q has %s", c.args, r.stdout, c.not)
		}
	}
	ccpeer(t, "events", "-C", "nowhere", "--api", s.api).check(t, exitFailed, `channel "nowhere" is not known to this peer`)

	// F227: whoever waits for events doesn't hold up the end.
	waiting := follow(t, "--api", s.api)
	s.stop(t)
	if err := waiting.cmd.Wait(); err == nil {
		t.Error("ccpeer events -f ends without an error when its peer does")
	}
}

// What nobody could wait for ends when the peer stops, and when it has waited long enough.
func TestAwaitBlock(t *testing.T) {
	n := startTestNode(t)
	l, err := n.channel("mychannel")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, n.stop)
	if err := awaitBlock(t.Context(), n.stopping, l, 1000); err != errStopping { //nolint:errorlint // as it is returned
		t.Errorf("got %v, want %v", err, errStopping)
	}
}

// Names and payloads that a chaincode chose don't reach a terminal as they are.
func TestPrintEvent(t *testing.T) {
	tx := eventTxJSON{Channel: "mychannel", Event: &eventJSON{Chaincode: "probe", Name: "\x1b[2J", Payload: newData([]byte("\x1b"))}}
	tx.TxID, tx.Code = "id", "VALID"
	var b bytes.Buffer
	if err := tx.print(&b, false, true); err != nil {
		t.Fatal(err)
	}
	const want = "0/0  0001-01-01 00:00:00Z  id  VALID\n    \"\\x1b[2J\" = 0x1b\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
