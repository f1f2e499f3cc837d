package deliver

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// filter returns what a block consists of, without contents (Fabric: toFilteredBlock). Transactions without a header are left out.
// An envelope that can't be decoded is left out, too, but if that holds for something in it, there is no filtered block.
func filter(ctx context.Context, b *pb.Block) (*pb.FilteredBlock, error) {
	f := &pb.FilteredBlock{Number: b.GetHeader().GetNumber()}
	var codes []byte
	if slots := b.GetMetadata().GetMetadata(); len(slots) > int(pb.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		codes = slots[pb.BlockMetadataIndex_TRANSACTIONS_FILTER]
	}
	for i, entry := range b.GetData().GetData() {
		code := pb.TxValidationCode_NOT_VALIDATED
		if i < len(codes) {
			code = pb.TxValidationCode(codes[i])
		}
		header, tx, err := filterTransaction(ctx, entry, code)
		if err != nil {
			return nil, errors.WithMessagef(err, "transaction %d", i)
		}
		if tx != nil {
			f.ChannelId = header.GetChannelId()
			f.FilteredTransactions = append(f.FilteredTransactions, tx)
		}
	}
	return f, nil
}

// filterTransaction returns nil for an envelope that is left out.
func filterTransaction(ctx context.Context, entry []byte, code pb.TxValidationCode) (*pb.ChannelHeader, *pb.FilteredTransaction, error) {
	var (
		envelope pb.Envelope
		payload  pb.Payload
		header   pb.ChannelHeader
	)
	if proto.Unmarshal(entry, &envelope) != nil {
		return nil, nil, nil //nolint:nilerr // Fabric leaves it out, too
	}
	if err := proto.Unmarshal(envelope.GetPayload(), &payload); err != nil {
		return nil, nil, errors.Wrap(err, "decode Payload")
	}
	if payload.GetHeader() == nil {
		return nil, nil, nil
	}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header); err != nil {
		return nil, nil, errors.Wrap(err, "decode ChannelHeader")
	}
	tx := &pb.FilteredTransaction{Txid: header.GetTxId(), Type: pb.HeaderType(header.GetType()), TxValidationCode: code}
	if tx.Type != pb.HeaderType_ENDORSER_TRANSACTION {
		return &header, tx, nil
	}
	actions, err := filterActions(ctx, payload.GetData())
	if err != nil {
		return nil, nil, err
	}
	// It is there without actions, too: some clients look whether it is.
	tx.Data = &pb.FilteredTransaction_TransactionActions{TransactionActions: actions}
	return &header, tx, nil
}

// filterActions returns the actions that have an event, without the events' payloads. A stranger's transaction may have millions of
// actions, and stands in its block though it is invalid. So they are decoded one by one.
func filterActions(ctx context.Context, data []byte) (*pb.FilteredTransactionActions, error) {
	const actions = 1 // the number of the field in a Transaction
	all := &pb.FilteredTransactionActions{}
	for seen := 0; len(data) > 0; seen++ {
		if seen%1000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		number, typ, n := protowire.ConsumeField(data)
		if n < 0 {
			return nil, errors.Wrap(protowire.ParseError(n), "decode Transaction")
		}
		_, _, tag := protowire.ConsumeTag(data)
		field := data[tag:n]
		data = data[n:]
		if number != actions || typ != protowire.BytesType {
			continue
		}
		var a pb.TransactionAction
		value, _ := protowire.ConsumeBytes(field)
		if err := proto.Unmarshal(value, &a); err != nil {
			return nil, errors.Wrap(err, "decode TransactionAction")
		}
		event, err := eventOf(ctx, &a)
		if err != nil {
			return nil, err
		}
		if event.GetChaincodeId() != "" {
			event = &pb.ChaincodeEvent{ChaincodeId: event.GetChaincodeId(), TxId: event.GetTxId(), EventName: event.GetEventName()}
			all.ChaincodeActions = append(all.ChaincodeActions, &pb.FilteredChaincodeAction{ChaincodeEvent: event})
		}
	}
	return all, nil
}

// eventOf returns the event of an action, which is nil or empty if there is none.
func eventOf(ctx context.Context, a *pb.TransactionAction) (*pb.ChaincodeEvent, error) {
	var (
		payload  pb.ChaincodeActionPayload
		response pb.ProposalResponsePayload
		action   pb.ChaincodeAction
		event    pb.ChaincodeEvent
	)
	if err := portions.Unmarshal(ctx, a.GetPayload(), &payload); err != nil {
		return nil, errors.Wrap(err, "decode ChaincodeActionPayload")
	}
	if payload.GetAction() == nil {
		return nil, nil
	}
	if err := proto.Unmarshal(payload.GetAction().GetProposalResponsePayload(), &response); err != nil {
		return nil, errors.Wrap(err, "decode ProposalResponsePayload")
	}
	if err := proto.Unmarshal(response.GetExtension(), &action); err != nil {
		return nil, errors.Wrap(err, "decode ChaincodeAction")
	}
	if err := proto.Unmarshal(action.GetEvents(), &event); err != nil {
		return nil, errors.Wrap(err, "decode ChaincodeEvent")
	}
	return &event, nil
}
