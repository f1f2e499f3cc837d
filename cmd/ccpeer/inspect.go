package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// blockQuestion asks for a block.
type blockQuestion struct {
	Channel string  `json:"channel"`
	Number  *uint64 `json:"number,omitempty"` // nil: the newest
}

// blockJSON is a block. This and the other answers here are what --json prints.
type blockJSON struct {
	Channel      string        `json:"channel"`
	Number       uint64        `json:"number"`
	Height       uint64        `json:"height"`                 // how many blocks the channel has
	Hash         hash          `json:"hash"`                   // of the header
	Previous     hash          `json:"previousHash,omitempty"` // of the header before
	Data         hash          `json:"dataHash"`               // of the envelopes
	Transactions []blockTxJSON `json:"transactions"`
}

// txQuestion asks for a transaction.
type txQuestion struct {
	Channel string `json:"channel"`
	TxID    string `json:"txid"`
}

// blockTxJSON is what a block shows of a transaction.
type blockTxJSON struct {
	TxID string `json:"txid"`
	keyVersion
	Timestamp time.Time `json:"timestamp"`
	Code      string    `json:"code"`
	Type      string    `json:"type,omitempty"` // CONFIG for the channel's configuration
	// What the envelope of an endorsed transaction says comes without the rest where there is no such envelope.
	Creator   *memberJSON `json:"creator,omitempty"`
	Chaincode string      `json:"chaincode,omitempty"`
	Function  *string     `json:"function,omitempty"` // the first argument, if it is a text
}

type txJSON struct {
	Channel string `json:"channel"`
	blockTxJSON
	envelopeJSON
	RWSet     []namespaceRWSet `json:"rwset"`               // null: it can't be decoded
	Undecoded []byte           `json:"undecoded,omitempty"` // then, what it is
}

// stateQuestion asks for what is committed of a key.
type stateQuestion struct {
	Channel   string `json:"channel"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	History   int    `json:"history"` // how many modifications to return at most
}

type stateJSON struct {
	Channel   string           `json:"channel"`
	Namespace string           `json:"namespace"`
	Key       string           `json:"key"`
	Value     *data            `json:"value"`   // null: it was deleted
	Version   *keyVersion      `json:"version"` // null: the same
	Metadata  map[string]*data `json:"metadata,omitempty"`
	History   []changeJSON     `json:"history"`        // the newest first
	More      bool             `json:"more,omitempty"` // there are older ones
}

type changeJSON struct {
	TxID      string    `json:"txid"`
	Timestamp time.Time `json:"timestamp"`
	Delete    bool      `json:"delete,omitempty"`
	Value     *data     `json:"value,omitempty"`
}

// explainQuestion asks how a rich query would be run.
type explainQuestion struct {
	Channel    string `json:"channel"`
	Namespace  string `json:"namespace"`
	Collection string `json:"collection,omitempty"`
	Query      string `json:"query"`
}

// block answers a blockQuestion.
func (n *node) block(ctx context.Context, q blockQuestion) (*blockJSON, error) {
	l, err := n.channel(q.Channel)
	if err != nil {
		return nil, err
	}
	height, err := l.Height(ctx)
	if err != nil {
		return nil, err
	}
	b := &blockJSON{Channel: q.Channel, Number: height - 1, Height: height}
	if q.Number != nil {
		b.Number = *q.Number
	}
	if b.Number >= height {
		if height == 0 {
			return nil, absent(q.Channel, height, "there is no block")
		}
		return nil, absent(q.Channel, height, fmt.Sprintf("there is no block %d", b.Number))
	}
	committed, err := l.Block(ctx, b.Number)
	if err != nil {
		return nil, err
	}
	header, err := block.HeaderHash(committed.Header)
	if err != nil {
		return nil, err
	}
	b.Hash, b.Previous, b.Data = newHash(header), newHash(committed.Header.GetPreviousHash()), newHash(committed.Header.GetDataHash())
	for _, tx := range committed.Transactions {
		described, _ := describeTx(&tx)
		b.Transactions = append(b.Transactions, described)
	}
	return b, nil
}

// transaction answers a txQuestion.
func (n *node) transaction(ctx context.Context, q txQuestion) (*txJSON, error) {
	l, err := n.channel(q.Channel)
	if err != nil {
		return nil, err
	}
	committed, err := l.Transaction(ctx, q.TxID)
	if errors.Is(err, kvledger.ErrNotFound) {
		return nil, absentFrom(ctx, l, q.Channel, "there is no transaction "+quote(q.TxID))
	}
	if err != nil {
		return nil, err
	}
	tx := &txJSON{Channel: q.Channel}
	tx.blockTxJSON, tx.envelopeJSON = describeTx(committed)
	if tx.RWSet, err = decodeRWSet(committed.RWSet); err != nil {
		tx.Undecoded = committed.RWSet
	}
	return tx, nil
}

// state answers a stateQuestion. A block that is committed meanwhile may be in the history, and not yet in the value.
func (n *node) state(ctx context.Context, q stateQuestion) (*stateJSON, error) {
	l, err := n.channel(q.Channel)
	if err != nil {
		return nil, err
	}
	committed, err := l.KeyState(ctx, q.Namespace, q.Key)
	if err != nil {
		return nil, err
	}
	s := &stateJSON{Channel: q.Channel, Namespace: q.Namespace, Key: q.Key}
	if committed != nil {
		v := keyVersion(committed.Version)
		s.Value, s.Version, s.Metadata = newData(committed.Value), &v, map[string]*data{}
		for name, value := range committed.Metadata {
			s.Metadata[name] = newData(value)
		}
	}
	if s.History, s.More, err = readHistory(ctx, l, q); err != nil {
		return nil, err
	}
	if committed == nil && len(s.History) == 0 && !s.More {
		return nil, absentFrom(ctx, l, q.Channel, "there is no key "+showKey(q.Key)+" of chaincode "+quote(q.Namespace))
	}
	return s, nil
}

// readHistory returns the newest modifications of a key, and whether there are more.
func readHistory(ctx context.Context, l *kvledger.Ledger, q stateQuestion) ([]changeJSON, bool, error) {
	sim, err := l.NewSimulator(ctx, "history")
	if err != nil {
		return nil, false, err
	}
	defer sim.Done()
	it, err := sim.(ledger.HistoryReader).GetHistoryForKey(ctx, q.Namespace, q.Key)
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	history := []changeJSON{}
	for {
		m, err := it.Next(ctx)
		if err != nil || m == nil {
			return history, false, err
		}
		if len(history) == q.History {
			return history, true, nil
		}
		change := changeJSON{TxID: m.TxID, Timestamp: m.Timestamp, Delete: m.IsDelete}
		if !m.IsDelete {
			change.Value = newData(m.Value)
		}
		history = append(history, change)
	}
}

// explain answers an explainQuestion.
func (n *node) explain(ctx context.Context, q explainQuestion) (*kvledger.Explanation, error) {
	l, err := n.channel(q.Channel)
	if err != nil {
		return nil, err
	}
	return l.Explain(ctx, q.Namespace, q.Collection, q.Query)
}

// absent says that what was asked for is not there, and how many blocks are.
func absentFrom(ctx context.Context, l *kvledger.Ledger, channel, what string) error {
	height, err := l.Height(ctx)
	if err != nil {
		return err
	}
	return absent(channel, height, what)
}

func absent(channel string, height uint64, what string) error {
	has := "no blocks yet"
	if height > 0 {
		has = fmt.Sprintf("%s, the newest with number %d", count(int(height), "block"), height-1)
	}
	return unknownError{what + " on channel " + quote(channel) + ", which has " + has}
}
