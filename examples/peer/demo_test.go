package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDemo runs the demo as make run does.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "../chaincode/asset", "../chaincode/market")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := peer(t, "demo", "--chaincode-dir", dir)
	r.check(t, exitOK, "\nAll 11 calls came out as they should.\n")
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
  $ peer invoke -n asset -c '{"Args":["Update","a1","red"]}'
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
	} {
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
