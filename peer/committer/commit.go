package committer

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// maxTxID is how many bytes an ID may have that the ledger keeps. Those of good transactions have 64.
const maxTxID = 1024

// block returns what the ledger is given. private are the IDs of the transactions that have private data.
func (v *validation) block(ctx context.Context) (b kvledger.Block, private []string, err error) {
	b = kvledger.Block{Header: v.of.GetHeader(), Metadata: v.of.GetMetadata().GetMetadata(), Transactions: make([]kvledger.Transaction, len(v.txs))}
	for i, tx := range v.txs {
		out := &b.Transactions[i]
		// An ID is used up also by an invalid transaction that only claims to have it.
		*out = kvledger.Transaction{Envelope: v.of.GetData().GetData()[i], TxID: tx.usedID(), Timestamp: tx.timestamp()}
		if out.Envelope == nil {
			out.Envelope = []byte{} // nil would mean that there is one, which is not told
		}
		if len(out.TxID) > maxTxID || tx.isConfig() && tx.known {
			out.TxID = ""
		}
		if tx.refusal != nil {
			out.Code = tx.refusal.Code
		} else {
			out.RWSet = tx.done.GetResults() // the ledger finds it in the envelope, too, and fails unless it is what was endorsed
		}
		wanted := tx.private()
		if len(wanted) == 0 || v.committer.cfg.PrivateData == nil {
			continue
		}
		private = append(private, out.TxID)
		if tx.refusal != nil {
			continue
		}
		if out.PrivateRWSet, err = v.committer.cfg.PrivateData.PrivateRWSet(ctx, out.TxID, wanted); err != nil {
			return kvledger.Block{}, nil, errors.WithMessagef(err, "look for the private data of transaction %d", i)
		}
	}
	return b, private, nil
}

// private returns what a transaction writes in collections.
func (tx *transaction) private() []CollectionHash {
	var all []CollectionHash
	for _, ns := range tx.namespaces {
		all = append(all, ns.private...)
	}
	return all
}

// usedID returns the ID that the transaction uses up: the one that it says, or, if it says none, the one that it would have had to
// say (Fabric: protoutil, GetOrComputeTxIDFromEnvelope).
func (e *envelope) usedID() string {
	if id := e.channel.GetTxId(); id != "" {
		return id
	}
	var (
		channel pb.ChannelHeader
		creator pb.SignatureHeader
	)
	header := e.payload.GetHeader()
	if header == nil || proto.Unmarshal(header.GetChannelHeader(), &channel) != nil || proto.Unmarshal(header.GetSignatureHeader(), &creator) != nil {
		return ""
	}
	return identity.ComputeTxID(creator.GetNonce(), creator.GetCreator())
}
