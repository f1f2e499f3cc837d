package main

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/examples/chaincode/internal/fakepeer"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMarket(t *testing.T) {
	p := fakepeer.New(t, market{})
	if typ := p.Init(); typ != pb.ChaincodeMessage_COMPLETED {
		t.Errorf("Init: %s", typ)
	}
	var calls []string
	p.Call = func(name string, args [][]byte) *shim.Response {
		calls = append(calls, name+" "+string(bytes.Join(args, []byte(" "))))
		if string(args[1]) == "a1" {
			return shim.Success(nil)
		}
		return shim.Error(`asset "` + string(args[1]) + `" does not exist`)
	}
	for _, step := range []struct {
		call        []string
		want, event string
	}{
		{[]string{"Sell", "a1", "ann", "10"}, `{"asset":"a1","buyer":"ann","price":10,"txId":"tx2"}`, "AssetSold"},
		{[]string{"Sell", "a1", "bob", "20"}, `{"asset":"a1","buyer":"bob","price":20,"txId":"tx3"}`, "AssetSold"},
		{[]string{"Sell", "a2", "bob", "20"}, `transfer asset "a2": asset "a2" does not exist`, ""},
		{[]string{"Sell", "a1", "bob", "-1"}, `price must be a whole number, not "-1"`, ""},
		{[]string{"Sales", "a1"}, `[{"asset":"a1","buyer":"ann","price":10,"txId":"tx2"},{"asset":"a1","buyer":"bob","price":20,"txId":"tx3"}]`, ""},
		{[]string{"Sales", "a2"}, `[]`, ""},
		{[]string{"Sell", "a1"}, `usage: Sell ASSET BUYER PRICE`, ""},
		{[]string{"Sales"}, `usage: Sales ASSET`, ""},
		{[]string{"Steal", "a1"}, `unknown function "Steal"`, ""},
	} {
		got, event := p.Invoke(step.call...)
		if got != step.want || event.GetEventName() != step.event {
			t.Errorf("%q: got %s, event %q; want %s, event %q", step.call, got, event.GetEventName(), step.want, step.event)
		}
	}
	if want := []string{"asset Transfer a1 ann", "asset Transfer a1 bob", "asset Transfer a2 bob"}; len(calls) != 3 ||
		calls[0] != want[0] || calls[1] != want[1] || calls[2] != want[2] {
		t.Errorf("calls: %q", calls)
	}
}
