package ordering_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What is broadcast together is a block, after what waits, whatever the batch says.
func TestTogether(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: ordering.Batch{Timeout: time.Hour, MaxMessageCount: 2, PreferredMaxBytes: 100}})
	blocks := deliver(t, o, 0)
	broadcast(t, o, sized(t, 50, 'a'))
	if err := o.BroadcastTogether(t.Context(), [][]byte{sized(t, 50, 'b'), sized(t, 120, 'c'), sized(t, 50, 'd')}); err != nil {
		t.Fatal(err)
	}
	broadcast(t, o, sized(t, 50, 'e'))
	if err := o.BroadcastTogether(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if first, second := next(t, blocks), next(t, blocks); len(first.GetData().GetData()) != 1 || len(second.GetData().GetData()) != 3 {
		t.Errorf("blocks of %d and %d", len(first.GetData().GetData()), len(second.GetData().GetData()))
	}
	if n := counts(t, o, blocks); len(n) != 1 || n[0] != 1 {
		t.Errorf("then blocks of %v", n)
	}
	if err := o.BroadcastTogether(t.Context(), [][]byte{sized(t, 50, 'f')}); err == nil {
		t.Error("a closed orderer orders")
	}
}

// If one envelope is refused, none is ordered.
func TestTogetherRefuses(t *testing.T) {
	o := newOrderer(t, ordering.Config{MaxWaitingBytes: 400}, ordering.Channel{Batch: ordering.Batch{AbsoluteMaxBytes: 200}})
	if err := o.AddChannel(ordering.Channel{ID: "other", Batch: ordering.Batch{AbsoluteMaxBytes: 200}}); err != nil {
		t.Fatal(err)
	}
	other := parts{channel: &pb.ChannelHeader{Type: 3, ChannelId: "other"}}.envelope(t)
	unknown := parts{channel: &pb.ChannelHeader{Type: 3, ChannelId: "unknown"}}.envelope(t)
	for text, last := range map[string][]byte{
		"of more than one channel": other,
		"channel creation request": unknown,
		"exceeds maximum allowed":  sized(t, 201, 'z'),
		"could not determine":      {},
		"have 459 bytes together":  sized(t, 200, 'z'),
	} {
		err := o.BroadcastTogether(t.Context(), [][]byte{sized(t, 50, 'a'), last})
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	if n := counts(t, o, deliver(t, o, 0)); n != nil {
		t.Errorf("blocks of %v", n)
	}
}
