package deliver_test

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
)

// FuzzEnvelope sends any bytes as an envelope. There is always exactly one status after the blocks.
func FuzzEnvelope(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	for _, s := range []*pb.SeekInfo{
		{}, {Start: oldest, Stop: newest}, {Start: at(1), Stop: at(2)}, {Start: newest, Stop: at(math.MaxUint64), Behavior: pb.SeekInfo_FAIL_IF_NOT_READY},
	} {
		r := request{channel: "mychannel", at: timestamppb.New(now), creator: []byte("alice"), seek: s}
		f.Add(marshal(f, r.envelope(f)))
	}
	f.Add([]byte{0xff})
	fix := newFixture(f, 3, func(cfg *deliver.Config, _ *fixture) { cfg.Now = func() time.Time { return now } })
	f.Fuzz(func(t *testing.T, b []byte) {
		var e pb.Envelope
		if proto.Unmarshal(b, &e) != nil {
			return // gRPC refuses it
		}
		// One that waits for block 3 gets it never: the ledger says so.
		fix.chain.mu.Lock()
		fix.chain.ends = true
		fix.asked = nil
		fix.chain.mu.Unlock()
		for _, m := range []method{fix.Deliver, fix.DeliverFiltered, fix.DeliverWithPrivateData} {
			all, err := ask(t, m, &e)
			if err != nil || len(all) == 0 {
				t.Fatal(all, err)
			}
			for i, r := range all {
				if _, is := r.GetType().(*pb.DeliverResponse_Status); is != (i == len(all)-1) {
					t.Fatalf("got %v", all)
				}
			}
		}
	})
}

// FuzzFilter filters a block with any bytes as a transaction.
func FuzzFilter(f *testing.F) {
	f.Add(transaction(f, pb.HeaderType_ENDORSER_TRANSACTION, with(f, action(f, &pb.ChaincodeEvent{ChaincodeId: "asset", Payload: []byte("secret")}))))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		fix := newFixture(t, 0)
		fix.chain.add(t, b)
		all, err := ask(t, fix.DeliverFiltered, seek(t, &pb.SeekInfo{Start: oldest, Stop: newest}))
		if err != nil || len(all) != 2 || all[1].GetStatus() != pb.Status_SUCCESS {
			t.Fatal(all, err)
		}
		for _, tx := range all[0].GetFilteredBlock().GetFilteredTransactions() {
			for _, a := range tx.GetTransactionActions().GetChaincodeActions() {
				if e := a.GetChaincodeEvent(); len(e.GetPayload()) > 0 || e.GetChaincodeId() == "" {
					t.Fatalf("got %v", e)
				}
			}
			if is := tx.GetTransactionActions() != nil; is != (tx.GetType() == pb.HeaderType_ENDORSER_TRANSACTION) {
				t.Fatalf("got %v", tx)
			}
		}
	})
}
