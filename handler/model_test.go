package handler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The model is what docs/protocol.md and docs/faults.md say of one stream, written without looking at the handler. It is one
// goroutine, in which each step is over before the next one begins.

// modelTimeout is how long a transaction may take. No sum of the steps' times is as long.
const modelTimeout = time.Minute

type modelKey struct{ channelID, txID string }

// modelTx is a transaction for which somebody waits.
type modelTx struct {
	began   time.Time
	cancel  context.CancelFunc
	call    *call
	held    chan struct{}        // closed to let the ledger answer; nil: the ledger has no request of the transaction
	calling bool                 // a chaincode that it has called is at work
	queries []string             // that are open: the first pages have been read
	reply   *pb.ChaincodeMessage // that the chaincode has sent while it had a request
}

// busy reports whether a request of the transaction is served.
func (tx *modelTx) busy() bool { return tx.held != nil || tx.calling }

// leftBehind is a request that the ledger still serves though nobody waits for its transaction any more. If answer is set the
// chaincode does wait, and gets an ERROR.
type leftBehind struct {
	key    modelKey
	held   chan struct{}
	answer bool
}

// model is the oracle, and drives what it is compared with.
type model struct {
	p    *peer
	c    *chaincode // whose transactions are run
	b    *chaincode // which it calls
	txs  map[modelKey]*modelTx
	left []leftBehind

	ended bool // the stream has
}

// step does a step, and returns how the handler differs from the model.
func (m *model) step(s modelStep) error {
	key := modelKey{s.channelID, s.txID}
	tx := m.txs[key]
	switch s.op {
	case opExecute:
		return m.execute(key, tx)
	case opComplete, opFail:
		return m.complete(s.op, key, tx)
	case opKeepalive:
		m.c.Deliver(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE})
		return m.wantSent()
	case opRelease:
		return m.release(key, tx)
	case opCancel:
		if tx == nil {
			return nil
		}
		tx.cancel()
		return m.leave(context.Canceled, key)
	case opWait:
		<-time.After(7 * time.Second)
		return m.expire()
	case opWaitLong:
		<-time.After(modelTimeout + time.Second)
		return m.expire()
	case opImpostor:
		return m.impostor()
	case opEnd:
		return m.end()
	case opCalleeReads, opCalleeCompletes, opCalleeFails:
		return m.callee(s.op, key, tx)
	case opCalleeEnds:
		return m.calleeEnds()
	}
	return m.request(s.op, key, tx)
}

// execute starts a transaction, which the chaincode is told unless there is one of that name.
func (m *model) execute(key modelKey, tx *modelTx) error {
	ctx, cancel := context.WithCancel(context.Background())
	x := m.c.execute(ctx, m.p.simulate(key.txID, key.channelID))
	if tx != nil {
		defer cancel()
		if err := m.wantSent(); err != nil {
			return err
		}
		return wantReturned(x, nil, handler.ErrExists)
	}
	m.txs[key] = &modelTx{began: time.Now(), cancel: cancel, call: x}
	return m.wantSent(expected{to: m.c, typ: pb.ChaincodeMessage_TRANSACTION, key: key})
}

// complete has the chaincode end a transaction. The first message counts, and a request that is served is waited for.
func (m *model) complete(op modelOp, key modelKey, tx *modelTx) error {
	msg := theEnd(op == opFail, key)
	m.c.Deliver(msg)
	if tx != nil && tx.reply == nil {
		tx.reply = msg
	}
	if tx == nil || tx.busy() {
		return m.wantSent()
	}
	return m.served(key, tx)
}

// theEnd is what ends a transaction: COMPLETED, or an ERROR.
func theEnd(fail bool, key modelKey) *pb.ChaincodeMessage {
	msg := in(key.txID, completed())
	if fail {
		msg.Type, msg.Payload = pb.ChaincodeMessage_ERROR, []byte("no")
	}
	msg.ChannelId = key.channelID
	return msg
}

// served is for a transaction whose request isn't served any more. If the chaincode has ended it meanwhile, its caller is told,
// and otherwise the chaincode gets these.
func (m *model) served(key modelKey, tx *modelTx, answers ...expected) error {
	if tx.reply == nil {
		return m.wantSent(answers...)
	}
	delete(m.txs, key)
	defer tx.cancel()
	if err := m.wantSent(); err != nil {
		return err
	}
	return wantReturned(tx.call, tx.reply, nil)
}

// release has the ledger answer: first what is left behind, then the transaction. The answer goes to the chaincode if that
// still waits.
func (m *model) release(key modelKey, tx *modelTx) error {
	var want []expected
	for _, l := range m.left {
		close(l.held)
		if l.answer && m.txs[l.key] == nil { // or it would be taken for an answer to the one that runs now
			want = append(want, expected{to: m.c, typ: pb.ChaincodeMessage_ERROR, key: l.key})
		}
	}
	m.left = nil
	if err := m.wantSent(want...); err != nil || tx == nil || tx.held == nil {
		return err
	}
	close(tx.held)
	tx.held = nil
	return m.served(key, tx, m.response(key, says("v")))
}

// leave is for transactions whose callers are told that they are over, whatever the ledger still does for them. A call ends with
// its caller, and so the chaincode that waits for it is told at once.
func (m *model) leave(cause error, keys ...modelKey) error {
	var want []expected
	var leaving []*modelTx
	for _, key := range keys {
		tx := m.txs[key]
		delete(m.txs, key)
		defer tx.cancel()
		leaving = append(leaving, tx)
		waits := tx.reply == nil && !m.ended
		switch {
		case tx.held != nil:
			m.left = append(m.left, leftBehind{key, tx.held, waits})
		case tx.calling && waits:
			want = append(want, expected{to: m.c, typ: pb.ChaincodeMessage_ERROR, key: key})
		}
	}
	if err := m.wantSent(want...); err != nil {
		return err
	}
	for _, tx := range leaving {
		err := wantReturned(tx.call, nil, cause)
		if err != nil && tx.calling && tx.reply != nil { // the call has ended at the same time, and a reply that is there wins
			err = wantReturned(tx.call, tx.reply, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expire is for the transactions whose time is over.
func (m *model) expire() error {
	var over []modelKey
	for key, tx := range m.txs {
		if time.Since(tx.began) >= modelTimeout {
			over = append(over, key)
		}
	}
	return m.leave(handler.ErrTimeout, over...)
}

// impostor has another stream register under the same name. It is refused, and the first one isn't disturbed.
func (m *model) impostor() error {
	c := m.p.connect()
	c.Deliver(registration("cc:1"))
	err := (<-c.ended).err
	c.wait()
	if status.Code(err) != codes.AlreadyExists {
		return errors.Errorf("another stream of the name ended with %v", err)
	}
	return m.wantSent()
}

// end has the chaincode send what only a peer may send. Everybody is told, and the chaincode registers again.
func (m *model) end() error {
	if err := breakRules(m.c); err != nil {
		return err
	}
	m.ended = true
	if err := m.leave(handler.ErrStreamTerminated, slices.Collect(maps.Keys(m.txs))...); err != nil {
		return err
	}
	m.stop()
	m.c, m.ended = m.p.register("cc:1"), false
	return m.wantSent()
}

// breakRules has a chaincode send what only a peer may send, which ends its stream.
func breakRules(c *chaincode) error {
	c.Deliver(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY})
	if err := (<-c.ended).err; status.Code(err) != codes.InvalidArgument {
		return errors.Errorf("the stream ended with %v", err)
	}
	return nil
}

// stop lets go of everything. The stream has ended, or is ended here.
func (m *model) stop() {
	for _, tx := range m.txs {
		tx.cancel()
		if tx.held != nil {
			close(tx.held)
		}
	}
	for _, l := range m.left {
		close(l.held)
	}
	m.left = nil
	m.c.wait()
	for _, tx := range m.txs {
		<-tx.call.done
	}
	clear(m.txs)
}

// expected is a message that the peer is to send.
type expected struct {
	to    *chaincode
	typ   pb.ChaincodeMessage_Type
	key   modelKey
	check func(payload []byte) error // nil: any payload will do
}

func (e expected) String() string { return fmt.Sprintf("%s %v", e.typ, e.key) }

// wantSent waits until nothing moves any more. What was sent since the last time must be this, in any order.
func (m *model) wantSent(want ...expected) error {
	synctest.Wait()
	for _, c := range []*chaincode{m.c, m.b} {
		for _, msg := range c.Sent() {
			key := modelKey{msg.ChannelId, msg.Txid}
			at := slices.IndexFunc(want, func(e expected) bool { return e.to == c && e.typ == msg.Type && e.key == key })
			if at < 0 {
				return errors.Errorf("%s was sent %s %v %q, want %v", c.h.ChaincodeID(), msg.Type, key, msg.Payload, want)
			}
			if check := want[at].check; check != nil {
				if err := check(msg.Payload); err != nil {
					return errors.WithMessagef(err, "%s of %v", msg.Type, key)
				}
			}
			want = slices.Delete(slices.Clone(want), at, at+1)
		}
	}
	if len(want) > 0 {
		return errors.Errorf("not sent: %v", want)
	}
	for key, tx := range m.txs {
		select {
		case <-tx.call.done:
			if !m.ended && time.Since(tx.began) < modelTimeout {
				return errors.Errorf("Execute of %v has returned %v, %v", key, tx.call.reply, tx.call.err)
			}
		default:
		}
	}
	return nil
}

// wantReturned makes sure that Execute has returned this.
func wantReturned(x *call, reply *pb.ChaincodeMessage, cause error) error {
	select {
	case <-x.done:
	default:
		return errors.Errorf("Execute has not returned, want %v, %v", reply, cause)
	}
	switch {
	case !errors.Is(x.err, cause):
		return errors.Errorf("Execute returned the error %v, want %v", x.err, cause)
	case reply != nil && (x.reply.GetType() != reply.Type || string(x.reply.Payload) != string(reply.Payload)):
		return errors.Errorf("Execute returned %v, want %v", x.reply, reply)
	}
	return nil
}

// playModel does the steps, and returns the first difference and how many steps led to it.
func playModel(t *testing.T, steps []modelStep) (n int, failure error) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.ExecuteTimeout = modelTimeout
		p.cfg.MaxQueries = modelQueries
		for i := range modelRows {
			p.memory[channel].put("cc", fmt.Sprintf("k%03d", i), "v")
			p.memory["other"].put("cc", fmt.Sprintf("k%03d", i), "v")
		}
		p.memory[channel].put("b", "k000", "w")
		p.memory["other"].put("b", "k000", "w")
		m := &model{p: p, c: p.register("cc:1"), b: p.register("b:1"), txs: map[modelKey]*modelTx{}}
		for n = 0; n < len(steps) && failure == nil; n++ {
			failure = m.step(steps[n])
		}
		m.c.cancel()
		m.stop()
		m.b.cancel()
		m.b.wait()
		if failure == nil {
			p.check()
		}
	})
	return n, failure
}
