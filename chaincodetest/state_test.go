package chaincodetest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
)

func TestState(t *testing.T) {
	net, alice := newNet(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("OR('Org1MSP.peer', 'Org2MSP.peer')"))
	alice.Submit("basic", "Create", "a1", 5).OK()
	want := asset{"a1", 5, "alice"}
	net.State("basic", "a1").Is(want).Is(chaincodetest.Fields{"size": 5})
	net.State("basic", "a2").Absent()
	var got asset
	if net.State("basic", "a1").Into(&got); got != want {
		t.Errorf("got %v", got)
	}
	alice.Transient("price", 7).Submit("basic", "Private", "a1").WritesPrivate("secrets", "a1", 7)
	net.Private("basic", "secrets", "a1").Is(7)
	net.Private("basic", "secrets", "a2").Absent()
	net.Of("Org1MSP").Private("basic", "secrets", "a1").Is(7)
	net.Of("Org2MSP").Private("basic", "secrets", "a1").Absent()
	net.As("eve@Org2MSP").Transient("price", 8).Submit("basic", "Private", "a1").Fails("tx creator does not have write access permission")
}

func TestQuery(t *testing.T) {
	net := chaincodetest.New(t)
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.MetaInf("testdata"), chaincodetest.Collections("testdata/collections.json"))
	net.Load("testdata/state.json")
	net.Set("basic", "a2", asset{"a2", 3, "bob"})
	found := net.Query("basic", map[string]any{"selector": map[string]any{"owner": "bob"}, "sort": []string{"owner"}})
	if len(found) != 1 || found[0].Key != "a2" {
		t.Errorf("found %v", found)
	}
}

func TestLoadAndDump(t *testing.T) {
	eachBackend(t, testLoadAndDump)
}

func testLoadAndDump(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	net.Load("testdata/state.json")
	net.State("basic", "count").Is(7)
	net.State("basic", "name").Is("the first")
	net.State("basic", "picture").Is([]byte{255, 1, 2, 3})
	net.DumpIs("testdata/state.json")
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	net.Set("basic", "s", `"quoted"`)
	file := t.TempDir() + "/dump.json"
	if err := os.WriteFile(file, net.Dump(), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _ := newNet(t)
	other.Load(file)
	other.DumpIs(file)
	other.State("basic", "s").Is(`"quoted"`)
}

// Private data is loaded where it belongs, and dumped as each peer has it.
func TestLoadAndDumpPrivate(t *testing.T) { eachBackend(t, testLoadAndDumpPrivate) }

func testLoadAndDumpPrivate(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
	alice.Transient("price", "\xff").Submit("basic", "Private", "a2").OK()
	file := t.TempDir() + "/dump.json"
	if err := os.WriteFile(file, net.Dump(), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _ := newNet(t, option)
	other.Load(file)
	other.Private("basic", "secrets", "a1").Is(7)
	other.Private("basic", "secrets", "a2").Is("\xff")
	other.DumpIs(file)
	if said := record(t, t.Name(), func(tb testing.TB) { other.In(tb).Private("basic", "secrets", "a3").Is(1) }); !strings.Contains(said, "there are a1, a2") {
		t.Errorf("it says %s", said)
	}
}

func TestLoadPrivateOfTwo(t *testing.T) {
	two := func() *chaincodetest.Net {
		net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
		net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.CollectionConfigs(
			ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org2MSP.member')"}, ledger.CollectionConfig{Name: "shared", Policy: "OR('Org1MSP.member', 'Org2MSP.member')"}))
		return net
	}
	file := t.TempDir() + "/state.json"
	const state = `{"basic": {"a1": 1}, "basic/secrets": {"a1": {"price": 7}}, "basic/shared": {"a1": 2}, "basic/_implicit_org_Org1MSP": {"a1": 3}}`
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	net := two()
	net.Load(file)
	net.Of("Org2MSP").Private("basic", "secrets", "a1").Is(chaincodetest.Fields{"price": 7})
	net.Of("Org1MSP").Private("basic", "secrets", "a1").Absent()
	for mspID, want := range map[string]string{
		"Org1MSP": `{"basic": {"a1": 1}, "basic/_implicit_org_Org1MSP": {"a1": 3}, "basic/shared": {"a1": 2}}`,
		"Org2MSP": `{"basic": {"a1": 1}, "basic/secrets": {"a1": {"price": 7}}, "basic/shared": {"a1": 2}}`,
	} {
		var got bytes.Buffer
		if err := json.Compact(&got, net.Of(mspID).Dump()); err != nil || got.String() != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%s has %s, %v", mspID, got.String(), err)
		}
	}
	if said := record(t, t.Name(), func(tb testing.TB) {
		if err := os.WriteFile(file, []byte(`{"basic/secret": {}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		net.In(tb).Load(file)
	}); !strings.Contains(said, `chaincode basic has no collection "secret"`) {
		t.Errorf("it says %s", said)
	}
}

func TestHistoryFollowsClock(t *testing.T) {
	eachBackend(t, testHistoryFollowsClock)
}

func testHistoryFollowsClock(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	net.SetTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	alice.Submit("basic", "Create", "a1", 5).OK()
	net.Advance(time.Hour)
	tx := alice.Submit("basic", "Delete", "a1").OK()
	alice.Submit("basic", "Time").OK().Returns(net.Now().Unix()).Writes("time", "2030-01-01 01:00:00 +0000 UTC")
	history := net.History("basic", "a1")
	if len(history) != 2 || !history[0].Deleted || history[0].TxID != tx.ID || !history[0].Time.Equal(net.Now()) ||
		!history[1].Time.Equal(net.Now().Add(-time.Hour)) || string(history[1].Value) == "" {
		t.Errorf("history is %+v", history)
	}
}

// Without SetTime, the clock goes as the machine's does, plus what Advance has added.
func TestAdvance(t *testing.T) {
	net, _ := newNet(t)
	net.Advance(48 * time.Hour)
	if ahead := time.Until(net.Now()); ahead < 47*time.Hour || ahead > 48*time.Hour {
		t.Errorf("the clock is %v ahead", ahead)
	}
}

func TestSnapshots(t *testing.T) {
	eachBackend(t, testSnapshots)
}

func testSnapshots(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	outer := net.Snapshot()
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	late := alice.Simulate("basic", "Transfer", "a1", "dave")
	inner := net.Snapshot()
	net.SetTime(time.Unix(1, 0))
	net.Deploy("token", chaincodetest.InProcess(new(assets)))
	alice.Submit("token", "Create", "t1", 1).OK()
	alice.Submit("basic", "Delete", "a1").OK()
	net.Revert(inner)
	net.State("basic", "a1").Is(asset{"a1", 5, "bob"})
	if net.Now().Unix() == 1 {
		t.Error("the clock was not reverted")
	}
	net.Revert(outer)
	net.State("basic", "a1").Is(asset{"a1", 5, "alice"})
	net.Commit(late) // it has read what isn't there any more
	late.Fails("MVCC_READ_CONFLICT")
	net.Revert(inner)
	net.State("basic", "a1").Is(asset{"a1", 5, "bob"})
	alice.Submit("basic", "Transfer", "a1", "carol").OK()
}

// Each subtest begins with the same state, and what fails is the subtest.
func TestSubtests(t *testing.T) {
	net, alice := newNet(t)
	alice.Submit("basic", "Create", "a1", 5).OK()
	for _, to := range []string{"bob", "carol"} {
		t.Run(to, func(t *testing.T) {
			net := net.In(t)
			defer net.Revert(net.Snapshot())
			alice.In(net).Submit("basic", "Transfer", "a1", to).OK()
			net.State("basic", "a1").Is(chaincodetest.Fields{"owner": to})
		})
	}
	net.State("basic", "a1").Is(chaincodetest.Fields{"owner": "alice"})
}

func TestChannels(t *testing.T) {
	eachBackend(t, testChannels)
}

func testChannels(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option, chaincodetest.WithChannels("mychannel", "other"))
	other := net.Channel("other")
	alice.In(other).Submit("basic", "Create", "a1", 5).OK()
	other.State("basic", "a1").Is(chaincodetest.Fields{"id": "a1"})
	net.State("basic", "a1").Absent()
	alice.In(other).Transient("price", 7).Submit("basic", "Private", "a1").OK()
}

func TestMock(t *testing.T) {
	net, alice := newNet(t)
	net.Deploy("token", chaincodetest.Mock(func(function string, args []string) (any, error) {
		switch function {
		case "Balance":
			return map[string]int{args[0]: 7}, nil
		case "Nothing":
			return nil, nil
		case "Odd":
			return make(chan int), nil
		}
		return nil, errors.New("no funds")
	}))
	alice.Submit("basic", "Call", "token", "Balance", "alice").Calls("token", "Balance").Returns(map[string]int{"alice": 7})
	alice.Submit("basic", "Call", "token", "Nothing").Returns("")
	alice.Submit("basic", "Call", "token", "Pay").Fails("token said: no funds")
	alice.Submit("basic", "Call", "token", "Odd").Fails("convert a chan int to JSON")
}

func TestUpgradeKeepsState(t *testing.T) {
	eachBackend(t, testUpgradeKeepsState)
}

func testUpgradeKeepsState(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.InitRequired())
	alice.Submit("basic", "Transfer", "a1", "bob").Fails("chaincode 'basic' has not been initialized for this version, must call as init first")
	alice.AsInit().Submit("basic", "Init").Returns("initialized")
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	alice.Transient("price", 7).Submit("basic", "Private", "a1").OK() // collections are kept
}

func TestConflicts(t *testing.T) {
	net, alice := newNet(t)
	alice.Submit("basic", "Create", "a1", 5).OK()
	transfer, remove := alice.Simulate("basic", "Transfer", "a1", "bob"), alice.Simulate("basic", "Delete", "a1")
	list, time := alice.Simulate("basic", "List"), alice.Simulate("basic", "Time")
	var got []string
	for _, c := range net.Conflicts(transfer, remove, list, time) {
		got = append(got, c.String())
	}
	mvcc := func(second, first string) string {
		return second + " is MVCC_READ_CONFLICT after " + first + ": it reads a1 (basic), which the other one writes"
	}
	phantom := func(second, first, key string) string {
		return second + " is PHANTOM_READ_CONFLICT after " + first + ": it reads a range with " + key + " (basic), which the other one writes"
	}
	const tr, rm, ls, tm = "basic.Transfer by alice@Org1MSP (transaction 2)", "basic.Delete by alice@Org1MSP (transaction 3)",
		"basic.List by alice@Org1MSP (transaction 4)", "basic.Time by alice@Org1MSP (transaction 5)"
	want := []string{mvcc(rm, tr), phantom(ls, tr, "a1"), mvcc(tr, rm), phantom(ls, rm, "a1"), phantom(ls, tm, "time")}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	net.Commit(transfer, remove, list, time)
	transfer.OK()
	time.OK()
	remove.Code(11)
	list.Code(12)
}
