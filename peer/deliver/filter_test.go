package deliver_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
)

// action is a TransactionAction with an event.
func action(t testing.TB, event *pb.ChaincodeEvent) *pb.TransactionAction {
	t.Helper()
	var events []byte
	if event != nil {
		events = marshal(t, event)
	}
	return &pb.TransactionAction{Payload: marshal(t, &pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{
		ProposalResponsePayload: marshal(t, &pb.ProposalResponsePayload{Extension: marshal(t, &pb.ChaincodeAction{Events: events})}),
	}})}
}

// with is the data of a transaction with actions.
func with(t testing.TB, actions ...*pb.TransactionAction) []byte {
	t.Helper()
	return marshal(t, &pb.Transaction{Actions: actions})
}

// F196: TestFiltered says what becomes of each kind of envelope.
func TestFiltered(t *testing.T) {
	const endorsed = pb.HeaderType_ENDORSER_TRANSACTION
	event := &pb.ChaincodeEvent{ChaincodeId: "asset", TxId: "tx", EventName: "created", Payload: []byte("secret")}
	bare := &pb.ChaincodeEvent{ChaincodeId: "asset", TxId: "tx", EventName: "created"}
	bad := []byte{0xff}
	nested := func(payload *pb.ChaincodeActionPayload) []byte {
		return transaction(t, endorsed, with(t, &pb.TransactionAction{Payload: marshal(t, payload)}))
	}
	response := func(extension []byte) *pb.ChaincodeActionPayload {
		return &pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{
			ProposalResponsePayload: marshal(t, &pb.ProposalResponsePayload{Extension: extension}),
		}}
	}
	tx := func(typ pb.HeaderType, events ...*pb.ChaincodeEvent) *pb.FilteredTransaction {
		f := &pb.FilteredTransaction{Txid: "tx", Type: typ}
		if typ == endorsed {
			actions := &pb.FilteredTransactionActions{}
			for _, e := range events {
				actions.ChaincodeActions = append(actions.ChaincodeActions, &pb.FilteredChaincodeAction{ChaincodeEvent: e})
			}
			f.Data = &pb.FilteredTransaction_TransactionActions{TransactionActions: actions}
		}
		return f
	}
	for name, tc := range map[string]struct {
		entry   []byte
		want    *pb.FilteredTransaction // nil: it is left out
		refused bool
	}{
		"event":                          {transaction(t, endorsed, with(t, action(t, event))), tx(endorsed, bare), false},
		"no event":                       {transaction(t, endorsed, with(t, action(t, nil))), tx(endorsed), false},
		"event without chaincode":        {transaction(t, endorsed, with(t, action(t, &pb.ChaincodeEvent{EventName: "x"}))), tx(endorsed), false},
		"event with chaincode only":      {transaction(t, endorsed, with(t, action(t, &pb.ChaincodeEvent{ChaincodeId: "a"}))), tx(endorsed, &pb.ChaincodeEvent{ChaincodeId: "a"}), false},
		"two actions":                    {transaction(t, endorsed, with(t, action(t, event), action(t, nil), action(t, event))), tx(endorsed, bare, bare), false},
		"no action":                      {transaction(t, endorsed, nil), tx(endorsed), false},
		"action without endorsement":     {nested(&pb.ChaincodeActionPayload{}), tx(endorsed), false},
		"configuration":                  {transaction(t, pb.HeaderType_CONFIG, bad), tx(pb.HeaderType_CONFIG), false},
		"message":                        {transaction(t, pb.HeaderType_MESSAGE, bad), tx(pb.HeaderType_MESSAGE), false},
		"nothing":                        {nil, nil, false},
		"empty":                          {[]byte{}, nil, false},
		"no envelope":                    {bad, nil, false},
		"no header":                      {marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Data: bad})}), nil, false},
		"header without channel header":  {marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: &pb.Header{}})}), &pb.FilteredTransaction{}, false},
		"no payload":                     {marshal(t, &pb.Envelope{Payload: bad}), nil, true},
		"no channel header":              {marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: &pb.Header{ChannelHeader: bad}})}), nil, true},
		"no transaction":                 {transaction(t, endorsed, bad), nil, true},
		"no action payload":              {transaction(t, endorsed, with(t, &pb.TransactionAction{Payload: bad})), nil, true},
		"no response payload":            {nested(&pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: bad}}), nil, true},
		"no chaincode action":            {nested(response(bad)), nil, true},
		"no chaincode event":             {nested(response(marshal(t, &pb.ChaincodeAction{Events: bad}))), nil, true},
		"transaction that was not valid": {transaction(t, endorsed, with(t, action(t, event))), tx(endorsed, bare), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0)
			b := f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, nil), tc.entry)
			b.Metadata.Metadata[pb.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{0, byte(pb.TxValidationCode_MVCC_READ_CONFLICT)}
			f.chain.add(t)
			all, err := ask(t, f.DeliverFiltered, seek(t, &pb.SeekInfo{Start: oldest, Stop: newest}))
			if err != nil {
				t.Fatal(err)
			}
			if tc.refused { // and goes on with the next one
				if got := numbers(all); !slices.Equal(got, []int{-400, 1, -200}) {
					t.Errorf("got %v", got)
				}
				return
			}
			want := &pb.FilteredBlock{ChannelId: "mychannel", FilteredTransactions: []*pb.FilteredTransaction{{Txid: "tx", Type: pb.HeaderType_MESSAGE}}}
			if tc.want != nil {
				tc.want.TxValidationCode = pb.TxValidationCode_MVCC_READ_CONFLICT
				want.FilteredTransactions = append(want.FilteredTransactions, tc.want)
				if tc.want.GetTxid() == "" {
					want.ChannelId = "" // it is the last one's
				}
			}
			if got := all[0].GetFilteredBlock(); !proto.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if got := numbers(all); !slices.Equal(got, []int{0, 1, -200}) {
				t.Errorf("got %v", got)
			}
			if r := f.asked[0].Resource; r != "event/FilteredBlock" {
				t.Errorf("the ACL was asked for %s", r)
			}
		})
	}
}

// TestFilteredWithoutCodes is what a source of blocks gets that has no peer.
func TestFilteredWithoutCodes(t *testing.T) {
	f := newFixture(t, 0)
	f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, nil)).Metadata = nil
	f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, nil)).Metadata.Metadata[pb.BlockMetadataIndex_TRANSACTIONS_FILTER] = nil
	all, err := ask(t, f.DeliverFiltered, seek(t, &pb.SeekInfo{Start: oldest, Stop: newest}))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[:2] {
		if code := r.GetFilteredBlock().GetFilteredTransactions()[0].GetTxValidationCode(); code != pb.TxValidationCode_NOT_VALIDATED {
			t.Errorf("got %s", code)
		}
	}
}

// private is a peer's private data that is played by hand.
type private struct {
	sets map[uint64]*pb.TxPvtReadWriteSet
	may  map[string]bool
	err  error
	who  []acl.Request
}

// PrivateData implements deliver.PrivateData.
func (p *private) PrivateData(_ context.Context, block uint64) (map[uint64]*pb.TxPvtReadWriteSet, error) {
	if block == 0 {
		return nil, p.err
	}
	return p.sets, p.err
}

// MayRead implements deliver.PrivateData.
func (p *private) MayRead(_ context.Context, c deliver.Collection, client acl.Request) (bool, error) {
	p.who = append(p.who, client)
	ok, known := p.may[c.Namespace+"/"+c.Name]
	if !known || c.Block != 1 {
		return false, errors.Errorf("no collection config was found for collection %s for chaincode %s", c.Name, c.Namespace)
	}
	return ok, nil
}

// TestPrivateData sends what the client may have.
func TestPrivateData(t *testing.T) {
	coll := func(name, data string) *pb.CollectionPvtReadWriteSet {
		return &pb.CollectionPvtReadWriteSet{CollectionName: name, Rwset: []byte(data)}
	}
	ns := func(name string, colls ...*pb.CollectionPvtReadWriteSet) *pb.NsPvtReadWriteSet {
		return &pb.NsPvtReadWriteSet{Namespace: name, CollectionPvtRwset: colls}
	}
	source := &private{
		sets: map[uint64]*pb.TxPvtReadWriteSet{
			0: {NsPvtRwset: []*pb.NsPvtReadWriteSet{ns("asset", coll("ours", "1"), coll("theirs", "2")), ns("other", coll("theirs", "3"))}},
			3: {NsPvtRwset: []*pb.NsPvtReadWriteSet{ns("asset", coll("theirs", "4"))}},
			5: {NsPvtRwset: []*pb.NsPvtReadWriteSet{ns("other", coll("ours", "5")), ns("asset", coll("ours", "6"))}},
			6: nil,
		},
		may: map[string]bool{"asset/ours": true, "asset/theirs": false, "other/ours": true, "other/theirs": false},
	}
	want := map[uint64]*pb.TxPvtReadWriteSet{
		0: {NsPvtRwset: []*pb.NsPvtReadWriteSet{ns("asset", coll("ours", "1"))}},
		5: {NsPvtRwset: []*pb.NsPvtReadWriteSet{ns("other", coll("ours", "5")), ns("asset", coll("ours", "6"))}},
	}
	f := newFixture(t, 2)
	f.channel.PrivateData = source
	s := seek(t, &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64), Behavior: pb.SeekInfo_FAIL_IF_NOT_READY})
	all, err := ask(t, f.DeliverWithPrivateData, s)
	if err != nil || !slices.Equal(numbers(all), []int{0, 1, -404}) {
		t.Fatal(all, err)
	}
	if got := all[0].GetBlockAndPrivateData().GetPrivateDataMap(); len(got) > 0 {
		t.Errorf("block 0 has %v", got)
	}
	if got, want := all[1].GetBlockAndPrivateData(), (&pb.BlockAndPrivateData{Block: f.chain.blocks[1], PrivateDataMap: want}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(source.who) != 4 || string(source.who[0].Identity) != "alice" || f.asked[0].Resource != "event/Block" {
		t.Errorf("asked about %v and %v", source.who, f.asked)
	}

	delete(source.may, "other/theirs")
	all, err = ask(t, f.DeliverWithPrivateData, s)
	if text := "no collection config was found for collection theirs for chaincode other"; len(all) != 1 || err == nil || err.Error() != text {
		t.Errorf("got %v and %v, want %q", all, err, text)
	}
	source.err = errors.New("disk")
	all, err = ask(t, f.DeliverWithPrivateData, s)
	if text := "error getting private data by block number 0: disk"; len(all) != 0 || err == nil || err.Error() != text {
		t.Errorf("got %v and %v, want %q", all, err, text)
	}
}
