package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/examples/chaincode/internal/fakepeer"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// One session: each call sees what those before it wrote.
func TestAsset(t *testing.T) {
	p := fakepeer.New(t, asset{})
	if typ := p.Init(); typ != pb.ChaincodeMessage_COMPLETED {
		t.Errorf("Init: %s", typ)
	}
	for _, step := range []struct {
		call        []string
		want, event string
	}{
		{[]string{"Create", "a1", "blue"}, `{"id":"a1","color":"blue"}`, "AssetCreated"},
		{[]string{"Create", "a2", "red", "bob"}, `{"id":"a2","color":"red","owner":"bob"}`, "AssetCreated"},
		{[]string{"Create", "a1", "green"}, `asset "a1" already exists`, ""},
		{[]string{"Create", "", "green"}, `key must not be an empty string`, ""},
		{[]string{"Read", "a1"}, `{"id":"a1","color":"blue"}`, ""},
		{[]string{"Read", "a3"}, `asset "a3" does not exist`, ""},
		{[]string{"Exists", "a1"}, `true`, ""},
		{[]string{"Exists", "a3"}, `false`, ""},
		{[]string{"Update", "a1", "green"}, `{"id":"a1","color":"green"}`, "AssetUpdated"},
		{[]string{"Update", "a3", "green"}, `asset "a3" does not exist`, ""},
		{[]string{"Transfer", "a1", "ann"}, `{"id":"a1","color":"green","owner":"ann"}`, "AssetTransferred"},
		{[]string{"Transfer", "a1", "ann"}, `asset "a1" already belongs to "ann"`, ""},
		{[]string{"Transfer", "a3", "ann"}, `asset "a3" does not exist`, ""},
		{[]string{"List"}, `[{"id":"a1","color":"green","owner":"ann"},{"id":"a2","color":"red","owner":"bob"}]`, ""},
		{[]string{"List", "a2"}, `[{"id":"a2","color":"red","owner":"bob"}]`, ""},
		{[]string{"List", "a1", "a2"}, `[{"id":"a1","color":"green","owner":"ann"}]`, ""},
		{[]string{"List", "b"}, `[]`, ""},
		{[]string{"ByOwner", "bob"}, `[{"id":"a2","color":"red","owner":"bob"}]`, ""},
		{[]string{"ByOwner", `"}`}, `[]`, ""},
		{[]string{"Delete", "a2"}, `{"id":"a2","color":"red","owner":"bob"}`, "AssetDeleted"},
		{[]string{"Delete", "a2"}, `asset "a2" does not exist`, ""},
		{[]string{"History", "a2"}, `[{"txId":"tx21","timestamp":"1970-01-01T00:00:00Z","deleted":true},` +
			`{"txId":"tx3","timestamp":"1970-01-01T00:00:00Z","asset":{"id":"a2","color":"red","owner":"bob"}}]`, ""},
		{[]string{"History", "a3"}, `[]`, ""},
		{[]string{"Create", "a1"}, `usage: Create ID COLOR [OWNER]`, ""},
		{[]string{"List", "a", "b", "c"}, `usage: List [START [END]]`, ""},
		{[]string{"Paint", "a1"}, `unknown function "Paint"`, ""},
		{nil, `unknown function ""`, ""},
	} {
		got, event := p.Invoke(step.call...)
		if got != step.want || event.GetEventName() != step.event {
			t.Errorf("%q: got %s, event %q; want %s, event %q", step.call, got, event.GetEventName(), step.want, step.event)
		}
	}
	p.State["a9"] = "!"
	const damaged = `asset "a9" is damaged: invalid character '!' looking for beginning of value`
	for _, call := range [][]string{{"Read", "a9"}, {"List"}} {
		if got, _ := p.Invoke(call...); got != damaged {
			t.Errorf("%q: got %s", call, got)
		}
	}
}
