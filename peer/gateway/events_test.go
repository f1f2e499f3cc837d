package gateway_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
)

// event is a transaction that a chaincode has set an event in. Its text is like "tx asset Created".
func event(text string) gateway.Transaction {
	f := strings.Fields(text)
	return transaction(f[0], &pb.ChaincodeEvent{ChaincodeId: f[1], TxId: f[0], EventName: f[2], Payload: []byte("payload of " + f[0])})
}

func transaction(txID string, events ...*pb.ChaincodeEvent) gateway.Transaction {
	tx := &pb.Transaction{}
	for _, e := range events {
		tx.Actions = append(tx.Actions, &pb.TransactionAction{Payload: marshal(&pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{
			ProposalResponsePayload: marshal(&pb.ProposalResponsePayload{Extension: marshal(&pb.ChaincodeAction{Events: marshal(e)})}),
		}})})
	}
	return gateway.Transaction{TxID: txID, Envelope: envelope(pb.HeaderType_ENDORSER_TRANSACTION, txID, marshal(tx))}
}

func envelope(typ pb.HeaderType, txID string, data []byte) []byte {
	return marshal(&pb.Envelope{Payload: marshal(&pb.Payload{Header: &pb.Header{ChannelHeader: marshal(&pb.ChannelHeader{Type: int32(typ), TxId: txID})}, Data: data})})
}

func bad(tx gateway.Transaction) gateway.Transaction {
	tx.Code = pb.TxValidationCode_MVCC_READ_CONFLICT
	return tx
}

func eventsRequest(change func(r *pb.ChaincodeEventsRequest)) *pb.SignedChaincodeEventsRequest {
	r := &pb.ChaincodeEventsRequest{ChannelId: "mychannel", ChaincodeId: "asset", Identity: []byte("alice")}
	if change != nil {
		change(r)
	}
	return &pb.SignedChaincodeEventsRequest{Request: marshal(r), Signature: []byte("alice's")}
}

func from(number uint64) *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: number}}}
}

// received is what a client has got: "1: tx1 Created, tx2 Deleted; 3: tx4 Created".
type received struct {
	mu   sync.Mutex
	text []string
}

func (r *received) send(m *pb.ChaincodeEventsResponse) error {
	var all []string
	for _, e := range m.GetEvents() {
		text := e.GetTxId() + " " + e.GetEventName()
		if string(e.GetPayload()) != "payload of "+e.GetTxId() {
			text += " without its payload"
		}
		all = append(all, text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, fmt.Sprintf("%d: %s", m.GetBlockNumber(), strings.Join(all, ", ")))
	return nil
}

func (r *received) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.text, "; ")
}

func TestEventsRefuse(t *testing.T) {
	for _, tc := range []struct {
		req    *pb.SignedChaincodeEventsRequest
		change func(w *world)
		want   string
	}{
		{nil, nil, "InvalidArgument: a chaincode events request is required"},
		{&pb.SignedChaincodeEventsRequest{Request: []byte{0xff}}, nil, "InvalidArgument: invalid chaincode events request: "},
		{eventsRequest(nil), func(w *world) { w.allowed = errors.New("no") }, "PermissionDenied: no"},
		{eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.ChannelId = "other" }), nil, "NotFound: channel does not exist: other"},
		{eventsRequest(func(r *pb.ChaincodeEventsRequest) {
			r.StartPosition = &pb.SeekPosition{Type: &pb.SeekPosition_Oldest{}}
		}), nil, "InvalidArgument: invalid start position type: *orderer.SeekPosition_Oldest"},
		{eventsRequest(func(r *pb.ChaincodeEventsRequest) {
			r.StartPosition = &pb.SeekPosition{Type: &pb.SeekPosition_Newest{}}
		}), nil, "InvalidArgument: invalid start position type: *orderer.SeekPosition_Newest"},
		{eventsRequest(nil), func(w *world) { w.ledger.broken = errors.New("disk is broken") }, "Aborted: disk is broken"},
		{eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(w *world) { w.ledger.broken = errors.New("disk is broken") }, "Aborted: disk is broken"},
		{eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(w *world) {
			w.ledger.commit(gateway.Transaction{Envelope: []byte{0xff}})
		}, "Aborted: proto:"},
	} {
		w := newWorld(t)
		if tc.change != nil {
			tc.change(w)
		}
		err := w.gateway(t).Events(t.Context(), tc.req, new(received).send)
		if got := said(t, err); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s, want %s", got, tc.want)
		}
		if w.ledger.open != 0 {
			t.Errorf("%s: blocks are left open", tc.want)
		}
	}
}

// Where events begin, and which a client gets. Blocks 0 to 3 are there when it comes, and 4 to 6 come later.
func TestEvents(t *testing.T) {
	before := [][]gateway.Transaction{
		{event("t1 asset A"), event("t2 other A")},
		{event("t3 asset A"), event("t4 asset B"), bad(event("t5 asset A"))},
		{valid("t6")},
		{event("t7 other A"), event("t8 asset A")},
	}
	after := [][]gateway.Transaction{{event("t9 asset A")}, {event("ta other A")}, {event("tb asset A"), event("tc asset A")}}
	before[2][0].Envelope = envelope(pb.HeaderType_CONFIG, "", nil)
	at := func(p *pb.SeekPosition) func(*pb.ChaincodeEventsRequest) {
		return func(r *pb.ChaincodeEventsRequest) { r.StartPosition = p }
	}
	behind := func(txID string, p *pb.SeekPosition) func(*pb.ChaincodeEventsRequest) {
		return func(r *pb.ChaincodeEventsRequest) { r.AfterTransactionId, r.StartPosition = txID, p }
	}
	const later = "4: t9 A; 6: tb A, tc A"
	for name, tc := range map[string]struct {
		change func(*pb.ChaincodeEventsRequest)
		want   string
	}{
		"without a start":      {nil, later},
		"from the next commit": {at(&pb.SeekPosition{Type: &pb.SeekPosition_NextCommit{}}), later},
		"from an empty start":  {at(&pb.SeekPosition{}), later},
		"from the first block": {at(from(0)), "0: t1 A; 1: t3 A, t4 B; 3: t8 A; " + later},
		"from block 2":         {at(from(2)), "3: t8 A; " + later},
		"from the height":      {at(from(4)), later},
		"from a later block":   {at(from(5)), "6: tb A, tc A"},
		"from far away":        {at(from(1 << 40)), ""},
		"from the last number": {at(from(1<<64 - 1)), ""},
		"of another chaincode": {func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId, r.StartPosition = "other", from(0) }, "0: t2 A; 3: t7 A; 5: ta A"},
		"of no chaincode":      {func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId, r.StartPosition = "", from(0) }, ""},
		// After a transaction: its block counts, and not the start.
		"after t3":          {behind("t3", from(3)), "1: t4 B; 3: t8 A; " + later},
		"after t4":          {behind("t4", nil), "3: t8 A; " + later},
		"after another's":   {behind("t7", nil), "3: t8 A; " + later},
		"after the last":    {behind("t8", nil), later},
		"after an invalid":  {behind("t5", nil), ""}, // its event is never passed
		"after an unknown":  {behind("nothing", from(0)), ""},
		"after one to come": {behind("tb", from(0)), "6: tc A"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, b := range before {
					w.ledger.commit(b...)
				}
				g := w.gateway(t)
				ctx, cancel := context.WithCancel(t.Context())
				var (
					got  received
					done sync.WaitGroup
				)
				done.Go(func() {
					if text := said(t, g.Events(ctx, eventsRequest(tc.change), got.send)); text != "Canceled: context canceled" {
						t.Error(text)
					}
				})
				synctest.Wait()
				for _, b := range after {
					w.ledger.commit(b...)
					synctest.Wait()
				}
				cancel()
				done.Wait()
				if got.String() != tc.want {
					t.Errorf("got %q, want %q", got.String(), tc.want)
				}
				if w.ledger.open != 0 {
					t.Error("blocks are left open")
				}
			})
		})
	}
}

// What isn't a whole event of a valid endorsed transaction is left out.
func TestEventsLeftOut(t *testing.T) {
	w := newWorld(t)
	garbage := []byte{0xff}
	action := func(p *pb.ChaincodeActionPayload) gateway.Transaction {
		return gateway.Transaction{Envelope: envelope(pb.HeaderType_ENDORSER_TRANSACTION, "x", marshal(&pb.Transaction{Actions: []*pb.TransactionAction{{Payload: marshal(p)}}}))}
	}
	endorsed := func(b []byte) gateway.Transaction {
		return action(&pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: b}})
	}
	w.ledger.commit(
		transaction("a", &pb.ChaincodeEvent{ChaincodeId: "asset", EventName: "A"}), transaction("b", &pb.ChaincodeEvent{ChaincodeId: "asset", TxId: "b"}),
		transaction("c", &pb.ChaincodeEvent{EventName: "A", TxId: "c"}), bad(event("d asset A")),
		endorsed(garbage), endorsed(marshal(&pb.ProposalResponsePayload{Extension: garbage})),
		endorsed(marshal(&pb.ProposalResponsePayload{Extension: marshal(&pb.ChaincodeAction{Events: garbage})})), action(&pb.ChaincodeActionPayload{}),
		gateway.Transaction{Code: pb.TxValidationCode_BAD_PAYLOAD, Envelope: envelope(pb.HeaderType_ENDORSER_TRANSACTION, "e", garbage)},
		transaction("f", &pb.ChaincodeEvent{ChaincodeId: "asset", EventName: "A", TxId: "f", Payload: []byte("payload of f")}, &pb.ChaincodeEvent{ChaincodeId: "asset", EventName: "B", TxId: "f", Payload: []byte("payload of f")}),
	)
	var got received
	errGone := errors.New("gone")
	err := w.gateway(t).Events(t.Context(), eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(m *pb.ChaincodeEventsResponse) error {
		if err := got.send(m); err != nil {
			return err
		}
		return errGone
	})
	if !errors.Is(err, errGone) || got.String() != "0: f A, f B" {
		t.Errorf("%q, %v", got.String(), err)
	}
	err = w.gateway(t).Events(t.Context(), eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(*pb.ChaincodeEventsResponse) error { return io.EOF })
	if text := said(t, err); text != "Canceled: EOF" {
		t.Error(text)
	}
}

// F183: a slow client gets everything in its order, whatever was committed meanwhile. Others don't wait for it.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gateway(t)
		ctx, cancel := context.WithCancel(t.Context())
		var (
			slow, fast, rare received
			done             sync.WaitGroup
		)
		turn := make(chan struct{})
		read := func(cc string, send func(*pb.ChaincodeEventsResponse) error) {
			done.Go(func() {
				_ = g.Events(ctx, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId = cc }), send)
			})
		}
		read("asset", func(m *pb.ChaincodeEventsResponse) error { <-turn; return slow.send(m) })
		read("asset", fast.send)
		read("rare", rare.send)
		synctest.Wait()
		const many = 100 // more than are kept for them
		var want []string
		for i := range many {
			w.ledger.commit(event(fmt.Sprintf("t%d asset A", i)))
			want = append(want, fmt.Sprintf("%d: t%d A", i, i))
			synctest.Wait()
		}
		w.ledger.commit(event("r rare A"))
		synctest.Wait()
		if got := fast.String(); got != strings.Join(want, "; ") {
			t.Errorf("the fast one has %s", got)
		}
		if got := rare.String(); got != "100: r A" {
			t.Errorf("who has waited long has %s", got)
		}
		close(turn)
		synctest.Wait()
		if got := slow.String(); got != strings.Join(want, "; ") {
			t.Errorf("the slow one has %s", got)
		}
		cancel()
		done.Wait()
		if w.ledger.open != 0 {
			t.Error("blocks are left open")
		}
	})
}

// F233: what is kept of events is bounded by bytes, too. Those that are too large come all the same.
func TestLargeEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gateway(t)
		ctx, cancel := context.WithCancel(t.Context())
		var reading sync.WaitGroup
		got := 0
		reading.Go(func() {
			_ = g.Events(ctx, eventsRequest(func(*pb.ChaincodeEventsRequest) {}), func(m *pb.ChaincodeEventsResponse) error {
				got += len(m.GetEvents()[0].GetPayload())
				return nil
			})
		})
		synctest.Wait()
		want := 0
		commit := func(size, wantBlocks int) {
			t.Helper()
			w.ledger.commit(transaction(fmt.Sprint("t", want), &pb.ChaincodeEvent{ChaincodeId: "asset", TxId: fmt.Sprint("t", want), EventName: "A", Payload: make([]byte, size)}))
			want += size
			synctest.Wait()
			if blocks, bytes := g.Kept(); got != want || blocks != wantBlocks || bytes > 16<<20 {
				t.Errorf("%d bytes have come, want %d; %d blocks with %d bytes are kept, want %d", got, want, blocks, bytes, wantBlocks)
			}
		}
		for i := range 6 {
			commit(5<<20, min(i+1, 3))
		}
		commit(17<<20, 0)
		commit(1, 1)
		cancel()
		reading.Wait()
	})
}

// F184: if the ledger breaks, or a block can't be decoded, clients are told. They may come again.
func TestEventsBreak(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"ledger": {func(w *world) { w.ledger.fail(errors.New("disk is broken")) }, "Aborted: disk is broken"},
		"block": {func(w *world) {
			w.ledger.commit(gateway.Transaction{Envelope: envelope(pb.HeaderType_ENDORSER_TRANSACTION, "x", []byte{0xff})})
		}, "Aborted: proto:"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			g := w.gateway(t)
			var done sync.WaitGroup
			for _, cc := range []string{"asset", "asset", "other"} {
				done.Go(func() {
					err := g.Events(t.Context(), eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId = cc }), new(received).send)
					if got := said(t, err); !strings.HasPrefix(got, tc.want) {
						t.Errorf("%s: %s, want %s", name, got, tc.want)
					}
				})
			}
			synctest.Wait()
			tc.do(w)
			done.Wait()
		})
	}
}

// F182: of clients that have gone nothing is kept, also if others stay.
func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gateway(t)
		staying, leave := context.WithCancel(t.Context())
		going, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		read := func(ctx context.Context, cc string) {
			done.Go(func() {
				_ = g.Events(ctx, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId = cc }), new(received).send)
			})
		}
		read(staying, "asset")
		for i := range 10 {
			read(going, "asset")
			read(going, fmt.Sprint("other", i))
			done.Go(func() { _, _ = g.CommitStatus(going, statusRequest("mychannel", fmt.Sprint("tx", i))) })
		}
		synctest.Wait()
		if channels, txs, chaincodes := g.Waiting(); channels != 1 || txs != 10 || chaincodes != 11 {
			t.Errorf("%d channels, %d transactions, %d chaincodes", channels, txs, chaincodes)
		}
		cancel()
		synctest.Wait()
		if channels, txs, chaincodes := g.Waiting(); channels != 1 || txs != 0 || chaincodes != 1 {
			t.Errorf("after they have gone: %d channels, %d transactions, %d chaincodes", channels, txs, chaincodes)
		}
		leave()
		done.Wait()
		if channels, _, _ := g.Waiting(); channels != 0 || w.ledger.open != 0 {
			t.Error("a channel is still followed")
		}
	})
}

// Clients come and go at any moment, and so is the channel followed or not. Each gets every block from the one on with which it began.
func TestClientsComeAndGo(t *testing.T) {
	const clients, rounds = 8, 40
	w := newWorld(t)
	g := w.gateway(t)
	enough := errors.New("enough")
	var reading sync.WaitGroup
	for c := range clients {
		reading.Go(func() {
			for i := range rounds {
				next, err := w.ledger.Height(t.Context())
				if err != nil {
					t.Error(err)
				}
				last := next + uint64(c+i)%5
				err = g.Events(t.Context(), eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(next) }), func(r *pb.ChaincodeEventsResponse) error {
					if r.GetBlockNumber() != next {
						return errors.Errorf("block %d comes, want %d", r.GetBlockNumber(), next)
					}
					if next++; next > last {
						return enough
					}
					return nil
				})
				if !errors.Is(err, enough) {
					t.Error(err)
				}
			}
		})
	}
	over, committed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(committed)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
				w.ledger.commit(event(fmt.Sprintf("t%d asset A", i)))
				runtime.Gosched()
			}
		}
	}()
	reading.Wait()
	close(over)
	<-committed
	if channels, _, _ := g.Waiting(); channels != 0 || w.ledger.open != 0 {
		t.Error("a channel is still followed")
	}
}
