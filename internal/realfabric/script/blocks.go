package script

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// blockOf says what is in a block.
func (r blockReader) blockOf(b *common.Block) say {
	said := say{"number": r.block(b.GetHeader().GetNumber()), "previousHash": len(b.GetHeader().GetPreviousHash())}
	sum := sha256.New()
	var transactions []string
	for i, data := range b.GetData().GetData() {
		_, _ = sum.Write(data) // it never fails
		transactions = append(transactions, r.inBlock(data)+r.code(b, i))
	}
	said["transactions"] = transactions
	if len(transactions) > 0 {
		said["dataHashIsOfData"] = slices.Equal(sum.Sum(nil), b.GetHeader().GetDataHash())
	}
	var metadata []string
	for i, m := range b.GetMetadata().GetMetadata() {
		kind := "set"
		if len(m) == 0 {
			kind = "empty"
		}
		metadata = append(metadata, fmt.Sprintf("%s %s", common.BlockMetadataIndex(i), kind)) //nolint:gosec // a block has five
	}
	said["metadata"] = metadata
	said["lastConfig"] = r.lastConfig(b)
	return said
}

func (r blockReader) code(b *common.Block, i int) string {
	filter := b.GetMetadata().GetMetadata()
	if len(filter) <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) || len(filter[common.BlockMetadataIndex_TRANSACTIONS_FILTER]) <= i {
		return " no code"
	}
	return " " + peer.TxValidationCode(filter[common.BlockMetadataIndex_TRANSACTIONS_FILTER][i]).String()
}

// inBlock says in short what an envelope of a block is.
func (r blockReader) inBlock(data []byte) string {
	var (
		e       common.Envelope
		payload common.Payload
		header  common.ChannelHeader
	)
	r.decode(data, &e)
	r.decode(e.GetPayload(), &payload)
	r.decode(payload.GetHeader().GetChannelHeader(), &header)
	id := "no ID"
	if header.GetTxId() != "" {
		id = r.text(header.GetTxId())
	}
	return common.HeaderType(header.GetType()).String() + " " + id
}

// lastConfig is the number of the configuration's block, by what the orderer signed.
func (r blockReader) lastConfig(b *common.Block) any {
	all := b.GetMetadata().GetMetadata()
	if len(all) == 0 || len(all[0]) == 0 {
		return nil
	}
	var (
		m     common.Metadata
		value common.OrdererBlockMetadata
	)
	r.decode(all[0], &m)
	r.decode(m.GetValue(), &value)
	return say{"index": value.GetLastConfig().GetIndex(), "signatures": len(m.GetSignatures())}
}

// filtered says what is in a filtered block.
func (r blockReader) filtered(b *peer.FilteredBlock) say {
	var all []say
	for _, tx := range b.GetFilteredTransactions() {
		said := say{"txID": r.text(tx.GetTxid()), "type": tx.GetType().String(), "code": tx.GetTxValidationCode().String()}
		if tx.GetData() != nil {
			var events []say
			for _, a := range tx.GetTransactionActions().GetChaincodeActions() {
				events = append(events, r.event(a.GetChaincodeEvent()))
			}
			said["actions"] = events
		}
		all = append(all, said)
	}
	return say{"channel": b.GetChannelId(), "number": r.block(b.GetNumber()), "transactions": all}
}
