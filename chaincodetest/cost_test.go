package chaincodetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/shim"
)

func TestCost(t *testing.T) {
	_, alice := newNet(t, chaincodetest.WithCosts("testdata/costs.json"))
	tx := alice.Submit("basic", "Create", "a1", 5).OK()
	if c := tx.Cost(); c.Requests != 2 || c.Reads != 1 || c.Writes != 1 || c.RWSetBytes == 0 || c.MessageBytes == 0 {
		t.Errorf("it costs %+v", c)
	}
	alice.Submit("basic", "Create", "a2", 5).OK()
	if c := alice.Submit("basic", "List").OK().Cost(); c.Ranges != 1 || c.Results != 2 || !slices.Equal(c.Lengths, []int{2}) {
		t.Errorf("a list costs %+v", c)
	}
	alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
}

// A transaction that costs more than the file says fails its test.
func TestCostChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "costs.json")
	const known = `{"TestX": {"basic.Create": {"requests": 1, "reads": 1, "writes": 1, "messageBytes": 231, "rwsetBytes": 77}, "basic.Read": {"requests": 1}}}`
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	said := record(t, "TestX", func(tb testing.TB) {
		_, alice := newNet(tb, chaincodetest.WithCosts(file))
		alice.Submit("basic", "Create", "a1", 5).OK()
		alice.Submit("basic", "List").OK()
	})
	for _, want := range []string{"basic.Create:\n", ".requests: want 1, got 2", "> PUT_STATE a1 = ", "basic.Read: it is in the file, but has not run", "basic.List: it is not in the file"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %s\nwant %s", said, want)
		}
	}
}

// ranges reads two ranges at once, of which the first has several pages.
type ranges struct{}

func (ranges) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (ranges) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	long, err := stub.GetStateByRange("a", "b")
	if err != nil {
		return shim.Error(err.Error())
	}
	defer func() { _ = long.Close() }()
	for long.HasNext() {
		if _, err := long.Next(); err != nil {
			return shim.Error(err.Error())
		}
		short, err := stub.GetStateByRange("c", "")
		if err != nil {
			return shim.Error(err.Error())
		}
		if err := short.Close(); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

// The length of each range is known, and a file that doesn't say it is right as it is.
func TestCostOfRanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "costs.json")
	run := func(known string) string {
		if known != "" {
			if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return record(t, "TestX", func(tb testing.TB) {
			net := chaincodetest.New(tb, chaincodetest.WithCosts(file))
			net.Deploy("ranges", chaincodetest.InProcess(ranges{}))
			state := map[string]map[string]int{"ranges": {"c1": 1, "c2": 2}}
			for i := range 250 {
				state["ranges"][fmt.Sprint("a", i)] = i
			}
			text, err := json.Marshal(state)
			if err != nil {
				t.Fatal(err)
			}
			load := filepath.Join(t.TempDir(), "state.json")
			if err := os.WriteFile(load, text, 0o600); err != nil {
				t.Fatal(err)
			}
			net.Load(load)
			c := net.As("alice").Evaluate("ranges", "Read").OK().Cost()
			want := append([]int{250}, slices.Repeat([]int{2}, 250)...)
			if !slices.Equal(c.Lengths, want) || c.Results != 750 {
				t.Errorf("there are %d results, in %v", c.Results, c.Lengths)
			}
		})
	}
	t.Setenv("CHAINCODETEST_UPDATE", "1")
	if said := run(""); said != "" {
		t.Fatal(said)
	}
	t.Setenv("CHAINCODETEST_UPDATE", "")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	if said := run(""); said != "" {
		t.Error(said)
	}
	before := regexp.MustCompile(`(?s)"lengths": \[[^\]]*\],\s*`).ReplaceAllString(now, "")
	if said := run(before); before == now || said != "" {
		t.Errorf("with the file of before, it says %s", said)
	}
	if said := run(strings.Replace(now, "250,", "249,", 1)); !strings.Contains(said, ".lengths[0]: want 249, got 250") {
		t.Errorf("it says %s", said)
	}
}
