package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildChaincodes builds the example chaincodes, and returns the folder that they are in.
func buildChaincodes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../examples", "-o", dir, "./chaincode/asset", "./chaincode/market")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestDemo runs the demo as make run does, again and again.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir, data := buildChaincodes(t), t.TempDir()
	for _, channel := range []string{"demo1", "demo2"} {
		t.Run(channel, func(t *testing.T) {
			checkDemo(t, peerWithData(t, data, "demo", "--chaincode-dir", dir), channel)
		})
	}
	ccpeer(t, "demo", "--chaincode-dir", dir, "--ledger", "memory").check(t, exitOK, "\nAll 12 calls came out as they should.\nThe ledger was in memory")
	s := servePeerWithData(t, t.TempDir(), "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--ledger", "pebble:"+filepath.Join(data, "ccpeer", "demo"))
	if want := "demo1 (8 blocks), demo2 (8 blocks), mychannel (1 block)"; s.channels != want {
		t.Errorf("the channels are then %s, want %s", s.channels, want)
	}
	ccpeer(t, "state", "-C", "demo1", "-n", "asset", "a1", "--api", s.api).check(t, exitOK, `"owner":"eve"`)
	s.stop(t)
}

func checkDemo(t *testing.T, r result, channel string) {
	t.Helper()
	r.check(t, exitOK, "\nAll 13 calls came out as they should.\n")
	if r.stderr != "" {
		t.Errorf("standard error is %q, want nothing", r.stderr)
	}
	if strings.Contains(r.stdout, "\x1b") {
		t.Error("there are colours in what is no terminal")
	}
	for _, want := range []string{
		"    asset → REGISTER    asset:1.0\n    asset ← REGISTERED\n    asset ← READY\n",
		`
Update it
  $ ccpeer invoke -C CHANNEL -n asset -c '{"Args":["Update","a1","red"]}'
    asset ← TRANSACTION  Update a1 red
    asset → GET_STATE    a1
    asset ← RESPONSE     40 bytes
    asset → PUT_STATE    a1 (39 bytes)
    asset ← RESPONSE
    asset → COMPLETED    200, 39 bytes, event AssetUpdated
  status 200, committed VALID, payload: {"id":"a1","color":"red","owner":"tom"}
`,
		"    asset → GET_STATE_BY_RANGE  from a1 to a9\n    asset ← RESPONSE            2 records\n",
		"    asset → DEL_STATE    a2\n",
		"  status 500, message: asset \"a2\" does not exist\n",
		"    market → INVOKE_CHAINCODE  asset: Transfer a1 eve\n        asset  ← TRANSACTION       Transfer a1 eve\n",
		"    asset ← RESPONSE             4 records\n",
		"    asset → GET_QUERY_RESULT  {\"selector\":{\"owner\":\"eve\"}}\n    asset ← RESPONSE          1 record\n",
		"  json index \"indexOwnerDoc/indexOwner\" on owner, fwd\n",
		`
  $ ccpeer state -C CHANNEL -n asset a1
  a1 of asset on CHANNEL
    value    {"id":"a1","color":"red","owner":"eve"}
    version  block 6, transaction 0
    history, the newest first
`,
	} {
		want = strings.ReplaceAll(want, "CHANNEL", channel)
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the demo doesn't print %s", want)
		}
	}
	if t.Failed() {
		t.Log(r.stdout)
	}
}

func TestStepChecks(t *testing.T) {
	good := answer{Status: 200, Payload: []byte("red"), Code: "VALID"}
	for _, c := range []struct {
		name string
		step step
		a    answer
		want string // "" if it is right
	}{
		{"right", step{answers: []string{"re", "ed"}}, good, ""},
		{"right query", step{query: true}, answer{Status: 200}, ""},
		{"right failure", step{fails: true, answers: []string{"no"}}, answer{Status: 500, Message: "no"}, ""},
		{"failed", step{}, answer{Status: 500}, "the status is 500"},
		{"did not fail", step{fails: true}, good, "the status is 200"},
		{"invalid", step{}, answer{Status: 200, Code: "MVCC_READ_CONFLICT"}, `"MVCC_READ_CONFLICT", want "VALID"`},
		{"committed query", step{query: true}, good, `"VALID", want ""`},
		{"wrong answer", step{answers: []string{"blue"}}, good, `want "blue" in it`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.step.check(&c.a)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}
