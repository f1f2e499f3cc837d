package committer_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/internal/threadtime"
)

func field(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

// hostileLayers are layers of an envelope that are about n bytes of tiny parts.
func hostileLayers(n int) map[envelopes.Layer]map[string][]byte {
	many := func(number protowire.Number) []byte { return bytes.Repeat(field(nil, number, nil), n/2) }
	var namespaces, deletes []byte
	for i := 0; len(namespaces) < n; i++ {
		namespaces = field(namespaces, 2, field(nil, 1, fmt.Append(nil, i)))
		deletes = field(deletes, 3, field(field(nil, 1, fmt.Append(nil, i)), 2, []byte{1}))
	}
	namespace := func(kv []byte) []byte { return field(nil, 2, field(field(nil, 1, []byte("either")), 2, kv)) }
	return map[envelopes.Layer]map[string][]byte{
		"TxReadWriteSet": {
			"empty namespaces": many(2), "namespaces": namespaces, "empty reads": namespace(many(1)), "empty writes": namespace(many(3)),
			"writes": namespace(deletes), "empty collections": field(nil, 2, many(3)),
		},
		"Transaction":            {"empty actions": many(1)},
		"ChaincodeActionPayload": {"empty endorsements": field(nil, 2, many(2))},
		"ChaincodeEvent":         {"fields that mean nothing": bytes.Repeat([]byte{0x98, 0x06, 0x01}, n/3)},
		"ChannelHeader":          {"fields that mean nothing": bytes.Repeat([]byte{0x98, 0x06, 0x01}, n/3)},
	}
}

// F171: a block whose envelopes consist of millions of parts can be given up while they are looked at.
func TestCheckStops(t *testing.T) {
	n, most := 256<<10, threadtime.Limit(100*time.Millisecond)
	if os.Getenv("CCPEER_LONG") != "" {
		n, most = 10<<20, 250*time.Millisecond // what an orderer takes; lists of millions are made
	}
	network := newNetwork(t, nil)
	for layer, all := range hostileLayers(n) {
		for name, hostile := range all {
			t.Run(string(layer)+"/"+name, func(t *testing.T) {
				envelope, err := envelopes.With(network.table, layer, func([]byte) []byte { return hostile })
				if err != nil {
					t.Fatal(err)
				}
				ctx := threadtime.New(t, time.Hour)
				whole := network.committer.Check(ctx, envelope)
				t.Logf("%v between two looks; %.100v", ctx.Longest(), whole)
				if ctx.Longest() > most {
					t.Errorf("%v between two looks at the context", ctx.Longest())
				}
				if err := network.committer.Check(threadtime.New(t, 0), envelope); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("when the context has ended: %v", err)
				}
			})
		}
	}
}
