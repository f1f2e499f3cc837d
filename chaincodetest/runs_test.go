package chaincodetest_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/shim"
)

// changing is a chaincode that does something else in one run, as the order of a map does, or a clock.
type changing struct {
	runs atomic.Int64
	odd  int64
	slow time.Duration
}

func (*changing) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (c *changing) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	function, _ := stub.GetFunctionAndParameters()
	value := "the same"
	<-time.After(c.slow)
	if c.runs.Add(1) == c.odd {
		value = "another"
	}
	switch function {
	case "Day":
		value = time.Now().Format(time.DateOnly)
	case "Private":
		if err := stub.PutPrivateData("secrets", "k", []byte(value)); err != nil {
			return shim.Error(err.Error())
		}
	case "Refuse":
		return shim.Error(value)
	}
	return shim.Success([]byte(value))
}

// What depends on chance is looked for when a function first succeeds, and when it first fails.
// There the clock stands still, so no run is left out because others took long.
func TestRuns(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend chaincodetest.Option) {
		synctest.Test(t, func(t *testing.T) { testRuns(t, backend) })
	})
}

func testRuns(t *testing.T, backend chaincodetest.Option) {
	for _, c := range []struct {
		name    string
		odd     int64
		options []chaincodetest.Option
		calls   []string
		want    string // nothing: it isn't found
	}{
		{"first", 32, nil, []string{"Put"}, "32nd"},
		{"too late", 33, nil, []string{"Put"}, ""},
		{"second", 34, nil, []string{"Put", "Put"}, "second"},
		{"another function", 64, nil, []string{"Put", "Set"}, "32nd"},
		{"it fails", 45, nil, []string{"Put", "Refuse"}, "13th"},
		{"private data", 23, nil, []string{"Private"}, "23rd"},
		{"more", 40, []chaincodetest.Option{chaincodetest.WithRuns(40)}, []string{"Put"}, "40th"},
		{"one", 2, []chaincodetest.Option{chaincodetest.WithRuns(1)}, []string{"Put", "Put"}, ""},
	} {
		said := record(t, t.Name(), func(tb testing.TB) {
			net := chaincodetest.New(tb, append(c.options, backend)...)
			net.Deploy("cc", chaincodetest.InProcess(&changing{odd: c.odd}), chaincodetest.CollectionConfigs(
				ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')"}))
			for _, function := range c.calls {
				_ = net.As("alice").Submit("cc", function).Err()
			}
		})
		if (said == "") != (c.want == "") || !strings.Contains(said, fmt.Sprintf("%-5s another", c.want)) && c.want != "" {
			t.Errorf("%s: it says %s", c.name, said)
		}
	}
	if said := record(t, t.Name(), func(tb testing.TB) { chaincodetest.New(tb, chaincodetest.WithRuns(-1)) }); !strings.Contains(said, "want at least one run") {
		t.Errorf("it says %s", said)
	}
}

// A chaincode that takes long runs as often as a fifth of a second allows, and at least twice.
func TestRunsOfSlow(t *testing.T) {
	for slow, want := range map[time.Duration]int64{80 * time.Millisecond: 4, time.Hour: 2, time.Millisecond: 32} {
		synctest.Test(t, func(t *testing.T) {
			net := chaincodetest.New(t)
			cc := &changing{slow: slow}
			net.Deploy("cc", chaincodetest.InProcess(cc))
			net.As("alice").Submit("cc", "Put").OK()
			if got := cc.runs.Load(); got != want {
				t.Errorf("what takes %v runs %d times, want %d", slow, got, want)
			}
		})
	}
}

// An endorser that may not have the private data that it writes says only the hashes. They are the same in each run.
func TestRunsOfStranger(t *testing.T) {
	net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
	net.Deploy("cc", chaincodetest.InProcess(new(changing)), chaincodetest.Endorsement("OR('Org1MSP.peer', 'Org2MSP.peer')"),
		chaincodetest.CollectionConfigs(ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org2MSP.member')", MaxPeerCount: 1}))
	net.As("alice@Org1MSP").Submit("cc", "Private").OK()
	net.Of("Org2MSP").Private("cc", "secrets", "k").Is("the same")
}

// Runs that are apart see another day, in a bubble without waiting for it.
func TestRunsApart(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend chaincodetest.Option) {
		synctest.Test(t, func(t *testing.T) {
			said := record(t, t.Name(), func(tb testing.TB) {
				net := chaincodetest.New(tb, chaincodetest.WithRunsApart(24*time.Hour), backend)
				net.Deploy("cc", chaincodetest.InProcess(new(changing)))
				net.As("alice").Submit("cc", "Put").OK()
				net.As("alice").Submit("cc", "Day").OK()
			})
			if !strings.Contains(said, "cc.Day by alice@Org1MSP (transaction 2) isn't deterministic") ||
				!strings.Contains(said, "first  2000-01-02\n      second 2000-01-03") {
				t.Errorf("it says %s", said)
			}
			net := chaincodetest.New(t, chaincodetest.WithRunsApart(24*time.Hour), backend)
			net.Deploy("cc", chaincodetest.InProcess(new(changing)))
			before := time.Now()
			for range 3 {
				net.As("alice").Submit("cc", "Put").OK()
			}
			if took := time.Since(before); took != 24*time.Hour {
				t.Errorf("three submits take %v", took)
			}
		})
	})
}

// Go begins one of eight loops over a map of two keys with the second one. The number of runs, and what the page for people says of
// it, follow from that.
func TestOrderOfSmallMaps(t *testing.T) {
	const loops = 20_000
	second := 0
	for range loops {
		m := map[string]int{}
		m["a"], m["b"] = 1, 2
		for key := range m {
			if key == "b" {
				second++
			}
			break
		}
	}
	if share := float64(second) / loops; share < 0.11 || share > 0.14 { // six times the standard deviation
		t.Errorf("%.3f of the loops begin with the second key, want 1/8", share)
	}
}
