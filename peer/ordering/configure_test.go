package ordering_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A configuration stands alone in its block, after what waited, and blocks name it from then on.
func TestConfigure(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: ordering.Batch{MaxMessageCount: 2, Timeout: time.Hour}})
	blocks, config := deliver(t, o, 0), letter(t, pb.HeaderType_CONFIG, []byte("config"))
	broadcast(t, o, sized(t, 100, 'a'))
	if err := o.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	broadcast(t, o, sized(t, 100, 'b'), sized(t, 100, 'c'))
	for i, want := range []struct {
		envelopes [][]byte
		last      uint64
	}{{[][]byte{sized(t, 100, 'a')}, 0}, {[][]byte{config}, 1}, {[][]byte{sized(t, 100, 'b'), sized(t, 100, 'c')}, 1}} {
		b := next(t, blocks)
		if last, err := block.LastConfig(b.GetMetadata().GetMetadata()); err != nil || last != want.last {
			t.Errorf("block %d says that the configuration is in block %d, %v", i, last, err)
		}
		if got := b.GetData().GetData(); !bytes.Equal(bytes.Join(got, nil), bytes.Join(want.envelopes, nil)) {
			t.Errorf("block %d has %d envelopes: %x", i, len(got), got)
		}
	}
	var refused *ordering.Error
	for text, envelope := range map[string][]byte{
		"message is of type MESSAGE, want CONFIG": letter(t, pb.HeaderType_MESSAGE, nil), "could not determine channel ID: header not set": nil,
	} {
		if err := o.Configure(t.Context(), envelope); !errors.As(err, &refused) || refused.Text != text {
			t.Errorf("%v, want %s", err, text)
		}
	}
	o.Close()
	if err := o.Configure(t.Context(), config); !errors.As(err, &refused) || refused.Status != ordering.ServiceUnavailable {
		t.Errorf("%v", err)
	}
	o.RemoveChannel("mychannel")
	if err := o.Configure(t.Context(), config); !errors.As(err, &refused) || refused.Status != ordering.BadRequest {
		t.Errorf("%v", err)
	}
}
