package handler_test

import (
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	// modelRows is how many records a range has: more than a page, and less than two.
	modelRows = 120
	// modelQueries is how many iterators a transaction may have open.
	modelQueries = 2
)

// says checks that a payload is a text.
func says(want string) func([]byte) error {
	return func(payload []byte) error {
		if string(payload) != want {
			return errors.Errorf("the payload is %q, want %q", payload, want)
		}
		return nil
	}
}

// ends checks that an error's text ends with something.
func ends(want string) func([]byte) error {
	return func(payload []byte) error {
		if !strings.HasSuffix(plain(string(payload)), want) {
			return errors.Errorf("the error is %q, want one that ends with %q", payload, want)
		}
		return nil
	}
}

func (m *model) response(key modelKey, check func([]byte) error) expected {
	return expected{m.c, pb.ChaincodeMessage_RESPONSE, key, check}
}

func (m *model) refusal(key modelKey, check func([]byte) error) expected {
	return expected{m.c, pb.ChaincodeMessage_ERROR, key, check}
}

// request has the chaincode ask for something. It has one answer, unless the chaincode waits for another one already.
func (m *model) request(op modelOp, key modelKey, tx *modelTx) error {
	msg := m.asking(op, key, tx)
	msg.Txid, msg.ChannelId = key.txID, key.channelID
	held := make(chan struct{})
	if op == opHold {
		m.p.ledgers[key.channelID].On(ledgertest.GetState, ledgertest.Hang(held))
		defer m.p.ledgers[key.channelID].On(ledgertest.GetState, nil)
	}
	m.c.Deliver(msg)
	switch {
	case tx == nil, tx.reply != nil: // to the chaincode it is over
		return m.wantSent(m.refusal(key, nil))
	case tx.busy():
		return m.wantSent()
	case op == opHold:
		tx.held = held
		return m.wantSent()
	case op == opCall:
		tx.calling = true
		return m.wantSent(expected{m.b, pb.ChaincodeMessage_TRANSACTION, key, nil})
	}
	return m.wantSent(m.answer(op, key, tx))
}

// asking returns the message of a request.
func (m *model) asking(op modelOp, key modelKey, tx *modelTx) *pb.ChaincodeMessage {
	switch op {
	case opRange:
		return getRange("", "")
	case opNext:
		return next(tx.query())
	case opNextForeign:
		return next(m.foreign(key))
	case opCloseQuery:
		return closeQuery(tx.query())
	case opCloseForeign:
		return closeQuery(m.foreign(key))
	case opPut:
		return putState("k000", "written")
	case opDelete:
		return delState("k001")
	case opPutEmpty:
		return putState("", "written")
	case opBatch:
		return writeBatch(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: "k002", Value: []byte("written")})
	case opCall:
		return invoke("b")
	case opCallSelf:
		return invoke("cc")
	case opCallNobody:
		return invoke("nobody")
	}
	return getState("k000")
}

// query returns the ID of the transaction's oldest open iterator, or of none.
func (tx *modelTx) query() string {
	if tx == nil || len(tx.queries) == 0 {
		return "none"
	}
	return tx.queries[0]
}

// foreign returns the ID of another transaction's iterator, or of none.
func (m *model) foreign(key modelKey) string {
	id := "none"
	for other, tx := range m.txs {
		if other != key && len(tx.queries) > 0 {
			id = min(id, tx.queries[0]) // the same one each time: none comes after every number
		}
	}
	return id
}

// answer returns what a request is answered that is served at once. Whatever the transaction has written, it reads what was
// committed.
func (m *model) answer(op modelOp, key modelKey, tx *modelTx) expected {
	switch op {
	case opRange:
		if len(tx.queries) == modelQueries {
			return m.refusal(key, ends("transaction has 2 iterators open, which is the limit: close those that are read"))
		}
		return m.response(key, tx.page(100, true))
	case opNext:
		if len(tx.queries) > 0 {
			return m.response(key, tx.page(modelRows-100, false))
		}
		return m.refusal(key, ends("query iterator not found"))
	case opNextForeign:
		return m.refusal(key, ends("query iterator not found"))
	case opCloseQuery:
		id := tx.query()
		if len(tx.queries) > 0 {
			tx.queries = tx.queries[1:]
		}
		return m.response(key, closed(id))
	case opCloseForeign:
		return m.response(key, closed(m.foreign(key)))
	case opPut, opDelete, opBatch:
		return m.response(key, says(""))
	case opPutEmpty:
		return m.refusal(key, ends("key must not be an empty string"))
	case opCallSelf:
		return m.refusal(key, ends("execute failed: txid: "+key.txID+"("+key.channelID+") exists"))
	case opCallNobody:
		return m.refusal(key, ends("execute failed: chaincode nobody is not running"))
	}
	return m.response(key, says("v"))
}

// page checks a page of a range: the first one, which more pages follow, or the last one. An iterator is open between them.
func (tx *modelTx) page(records int, more bool) func([]byte) error {
	return func(payload []byte) error {
		page := &pb.QueryResponse{}
		if err := proto.Unmarshal(payload, page); err != nil {
			return errors.Wrap(err, "decode page")
		}
		if len(page.Results) != records || page.HasMore != more || !more && page.Id != tx.queries[0] {
			return errors.Errorf("iterator %q answers %d records, more: %t, want %d, %t, of %q", page.Id, len(page.Results), page.HasMore, records, more, tx.queries)
		}
		if more {
			tx.queries = append(tx.queries, page.Id)
		} else {
			tx.queries = tx.queries[1:]
		}
		return nil
	}
}

// closed checks the answer to a CLOSE.
func closed(id string) func([]byte) error {
	return func(payload []byte) error {
		page := &pb.QueryResponse{}
		if err := proto.Unmarshal(payload, page); err != nil || page.Id != id || page.HasMore || len(page.Results) > 0 {
			return errors.Errorf("the answer is %v, %v, want that of iterator %q", page, err, id)
		}
		return nil
	}
}

// callee has the chaincode that was called say something, whether or not there is a call.
func (m *model) callee(op modelOp, key modelKey, tx *modelTx) error {
	called := tx != nil && tx.calling
	if op == opCalleeReads {
		msg := in(key.txID, getState("k000"))
		msg.ChannelId = key.channelID
		m.b.Deliver(msg)
		if called {
			return m.wantSent(expected{m.b, pb.ChaincodeMessage_RESPONSE, key, says("w")})
		}
		return m.wantSent(expected{m.b, pb.ChaincodeMessage_ERROR, key, nil})
	}
	msg := theEnd(op == opCalleeFails, key)
	m.b.Deliver(msg)
	if !called {
		return m.wantSent()
	}
	tx.calling = false
	return m.served(key, tx, m.response(key, func(payload []byte) error {
		got := &pb.ChaincodeMessage{}
		if err := proto.Unmarshal(payload, got); err != nil || got.Type != msg.Type || string(got.Payload) != string(msg.Payload) {
			return errors.Errorf("the call is answered with %v, %v, want %v", got, err, msg)
		}
		return nil
	}))
}

// calleeEnds has the stream of the chaincode end that is called. Whoever has called it is told, and it registers again.
func (m *model) calleeEnds() error {
	if err := breakRules(m.b); err != nil {
		return err
	}
	var want []expected
	finished := map[modelKey]*modelTx{}
	for key, tx := range m.txs {
		switch {
		case tx.calling && tx.reply == nil:
			want = append(want, m.refusal(key, ends("execute failed: chaincode stream terminated")))
		case tx.calling:
			finished[key] = tx
			delete(m.txs, key)
			defer tx.cancel()
		}
		tx.calling = false
	}
	if err := m.wantSent(want...); err != nil {
		return err
	}
	for _, tx := range finished {
		if err := wantReturned(tx.call, tx.reply, nil); err != nil {
			return err
		}
	}
	m.b.wait()
	m.b = m.p.register("b:1")
	return m.wantSent()
}
