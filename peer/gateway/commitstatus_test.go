package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
)

func statusRequest(channelID, txID string) *pb.SignedCommitStatusRequest {
	return &pb.SignedCommitStatusRequest{
		Request: marshal(&pb.CommitStatusRequest{ChannelId: channelID, TransactionId: txID, Identity: []byte("alice")}), Signature: []byte("alice's"),
	}
}

func valid(txID string) gateway.Transaction { return gateway.Transaction{TxID: txID} }

func invalid(txID string) gateway.Transaction {
	return gateway.Transaction{TxID: txID, Code: pb.TxValidationCode_MVCC_READ_CONFLICT}
}

// What can't be asked for.
func TestCommitStatusRefuses(t *testing.T) {
	for _, tc := range []struct {
		req    *pb.SignedCommitStatusRequest
		change func(w *world)
		want   string
	}{
		{nil, nil, "InvalidArgument: a commit status request is required"},
		{&pb.SignedCommitStatusRequest{Signature: []byte("s")}, nil, "InvalidArgument: a commit status request is required"},
		{&pb.SignedCommitStatusRequest{Request: []byte{0xff}}, nil, "InvalidArgument: invalid status request: "},
		{&pb.SignedCommitStatusRequest{Request: marshal(&pb.CommitStatusRequest{ChannelId: "mychannel", TransactionId: "tx"})}, nil, "InvalidArgument: no identity provided"},
		{statusRequest("", "tx"), nil, "InvalidArgument: no channel ID provided"},
		{statusRequest("mychannel", ""), nil, "InvalidArgument: transaction ID should not be empty"},
		{statusRequest("mychannel", "tx"), func(w *world) { w.allowed = errors.New("Failed to get policy manager") }, "PermissionDenied: Failed to get policy manager"},
		{statusRequest("other", "tx"), nil, "Aborted: channel does not exist: other"},
		{statusRequest("mychannel", "tx"), func(w *world) { w.ledger.broken = errors.New("disk is broken") }, "Aborted: disk is broken"},
		{statusRequest("mychannel", "tx"), func(w *world) { w.ledger.looked = func() { w.ledger.fail(errors.New("disk is broken")) } }, "Aborted: disk is broken"},
	} {
		w := newWorld(t)
		if tc.change != nil {
			tc.change(w)
		}
		_, err := w.gateway(t).CommitStatus(t.Context(), tc.req)
		if got := said(t, err); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s, want %s", got, tc.want)
		}
		if w.ledger.open != 0 {
			t.Errorf("%s: blocks are left open", tc.want)
		}
	}
}

// The ACL is asked with what was signed, by whom.
func TestCommitStatusACL(t *testing.T) {
	w := newWorld(t)
	w.ledger.commit(valid("tx"))
	var asked []acl.Request
	w.config.ACL = acl.CheckerFunc(func(_ context.Context, r acl.Request) error { asked = append(asked, r); return nil })
	g := w.gateway(t)
	req := statusRequest("mychannel", "tx")
	if _, err := g.CommitStatus(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0].Resource != "gateway/CommitStatus" || asked[0].ChannelID != "mychannel" || string(asked[0].Data) != string(req.GetRequest()) ||
		string(asked[0].Identity) != "alice" || string(asked[0].Signature) != "alice's" {
		t.Errorf("%+v", asked)
	}
}

// What is committed is told at once. Otherwise it is waited for. Of several transactions with one ID the first counts.
func TestCommitStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ledger.commit(valid("a"), invalid("b"), valid("b"))
		g := w.gateway(t)
		ask := func(txID, want string) {
			t.Helper()
			r, err := g.CommitStatus(t.Context(), statusRequest("mychannel", txID))
			if got := fmt.Sprint(r.GetResult(), r.GetBlockNumber()); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", txID, got, err, want)
			}
		}
		ask("a", "VALID 0")
		ask("b", "MVCC_READ_CONFLICT 0")
		var waiting sync.WaitGroup
		for txID, want := range map[string]string{"c": "VALID 1", "d": "MVCC_READ_CONFLICT 2"} {
			for range 3 {
				waiting.Go(func() { ask(txID, want) })
			}
		}
		synctest.Wait()
		w.ledger.commit(valid("x"), valid("c"), valid(""))
		w.ledger.commit(invalid("d"), valid("d"))
		waiting.Wait()
		if w.ledger.open != 0 {
			t.Error("blocks are left open")
		}
	})
}

// F181: a transaction is not missed that is committed just before the ledger is asked, or just after it has looked.
func TestCommitStatusMissesNothing(t *testing.T) {
	for _, blind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.config.Channel = func(id string) *gateway.Channel {
				c := w.channel(id)
				if blind {
					c.Ledger = blindLedger{w.ledger}
				}
				return c
			}
			g := w.gateway(t)
			for i := range uint64(50) {
				txID := fmt.Sprint("tx", i)
				w.ledger.looked = func() { w.ledger.commit(valid(txID)) }
				r, err := g.CommitStatus(t.Context(), statusRequest("mychannel", txID))
				if err != nil || r.GetBlockNumber() != i {
					t.Fatalf("%s: %v, %v", txID, r, err)
				}
			}
		})
	}
}

// blindLedger has looked just before a block is committed.
type blindLedger struct{ *ledger }

// Status implements gateway.Ledger.
func (l blindLedger) Status(context.Context, string) (gateway.Status, bool, error) {
	l.looked()
	return gateway.Status{}, false, nil
}

// A client that goes is told so, in Go's words, and nothing is left of it. If the ledger breaks, nobody waits in vain, and whoever
// comes later is served.
func TestCommitStatusEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gateway(t)
		for _, tc := range []struct {
			end  func(context.Context) (context.Context, context.CancelFunc)
			want string
		}{
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Hour)
			}, "DeadlineExceeded: context deadline exceeded"},
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Minute, cancel)
				return ctx, cancel
			}, "Canceled: context canceled"},
		} {
			ctx, cancel := tc.end(t.Context())
			_, err := g.CommitStatus(ctx, statusRequest("mychannel", "never"))
			cancel()
			if got := said(t, err); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		}
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				_, err := g.CommitStatus(t.Context(), statusRequest("mychannel", "never"))
				if got := said(t, err); got != "Aborted: unexpected close of commit notification channel" {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		w.ledger.fail(errors.New("disk is broken"))
		waiting.Wait()
		w.ledger.fail(nil)
		waiting.Go(func() {
			if r, err := g.CommitStatus(t.Context(), statusRequest("mychannel", "tx")); err != nil || r.GetBlockNumber() != 0 {
				t.Errorf("%v, %v", r, err)
			}
		})
		synctest.Wait()
		w.ledger.commit(valid("tx"))
		waiting.Wait()
		if w.ledger.open != 0 {
			t.Error("blocks are left open")
		}
	})
}
