package handler_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The model is what docs/protocol.md and docs/faults.md say of one stream, written without looking at the handler. It is one
// goroutine, in which each step is over before the next one begins.

// modelTimeout is how long a transaction may take. No sum of the steps' times is as long.
const modelTimeout = time.Minute

type modelKey struct{ channelID, txID string }

// modelTx is a transaction for which somebody waits.
type modelTx struct {
	began  time.Time
	cancel context.CancelFunc
	call   *call
	held   chan struct{}        // closed to let the ledger answer; nil: the transaction has no request
	reply  *pb.ChaincodeMessage // that the chaincode has sent while it had one
}

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
	c    *chaincode
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
	case opRead, opHold:
		return m.request(s.op == opHold, key, tx)
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
		return m.leave(key, tx, context.Canceled)
	case opWait:
		<-time.After(7 * time.Second)
		return m.expire()
	case opWaitLong:
		<-time.After(modelTimeout + time.Second)
		return m.expire()
	case opImpostor:
		return m.impostor()
	}
	return m.end()
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
	return m.wantSent(expected{pb.ChaincodeMessage_TRANSACTION, key})
}

// request has the chaincode read something. It has one answer, unless the chaincode waits for another one already.
func (m *model) request(hold bool, key modelKey, tx *modelTx) error {
	held := make(chan struct{})
	if hold {
		m.p.ledgers[key.channelID].On(ledgertest.GetState, ledgertest.Hang(held))
		defer m.p.ledgers[key.channelID].On(ledgertest.GetState, nil)
	}
	msg := in(key.txID, getState("k000"))
	msg.ChannelId = key.channelID
	m.c.Deliver(msg)
	switch {
	case tx == nil, tx.reply != nil: // to the chaincode it is over
		return m.wantSent(expected{pb.ChaincodeMessage_ERROR, key})
	case tx.held != nil:
		return m.wantSent()
	case hold:
		tx.held = held
		return m.wantSent()
	}
	return m.wantSent(expected{pb.ChaincodeMessage_RESPONSE, key})
}

// complete has the chaincode end a transaction. The first message counts, and a request that is served is waited for.
func (m *model) complete(op modelOp, key modelKey, tx *modelTx) error {
	msg := in(key.txID, completed())
	if op == opFail {
		msg.Type, msg.Payload = pb.ChaincodeMessage_ERROR, []byte("no")
	}
	msg.ChannelId = key.channelID
	m.c.Deliver(msg)
	if tx != nil && tx.reply == nil {
		tx.reply = msg
	}
	if tx == nil || tx.held != nil {
		return m.wantSent()
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
			want = append(want, expected{pb.ChaincodeMessage_ERROR, l.key})
		}
	}
	m.left = nil
	if err := m.wantSent(want...); err != nil || tx == nil || tx.held == nil {
		return err
	}
	close(tx.held)
	tx.held = nil
	if tx.reply == nil {
		return m.wantSent(expected{pb.ChaincodeMessage_RESPONSE, key})
	}
	delete(m.txs, key)
	defer tx.cancel()
	if err := m.wantSent(); err != nil {
		return err
	}
	return wantReturned(tx.call, tx.reply, nil)
}

// leave is for a transaction whose caller is told that it is over, whatever the ledger still does for it.
func (m *model) leave(key modelKey, tx *modelTx, cause error) error {
	delete(m.txs, key)
	if tx.held != nil {
		m.left = append(m.left, leftBehind{key, tx.held, tx.reply == nil && !m.ended})
	}
	defer tx.cancel()
	if err := m.wantSent(); err != nil {
		return err
	}
	return wantReturned(tx.call, nil, cause)
}

// expire is for the transactions whose time is over.
func (m *model) expire() error {
	for key, tx := range m.txs {
		if time.Since(tx.began) >= modelTimeout {
			if err := m.leave(key, tx, handler.ErrTimeout); err != nil {
				return err
			}
		}
	}
	return m.wantSent()
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
	m.c.Deliver(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY})
	err := (<-m.c.ended).err
	if status.Code(err) != codes.InvalidArgument {
		return errors.Errorf("the stream ended with %v", err)
	}
	m.ended = true
	for key, tx := range m.txs {
		if err := m.leave(key, tx, handler.ErrStreamTerminated); err != nil {
			return err
		}
	}
	m.stop()
	m.c, m.ended = m.p.register("cc:1"), false
	return m.wantSent()
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
	typ pb.ChaincodeMessage_Type
	key modelKey
}

// wantSent waits until nothing moves any more. What was sent since the last time must be this, in any order.
func (m *model) wantSent(want ...expected) error {
	synctest.Wait()
	var got []expected
	for _, msg := range m.c.Sent() {
		got = append(got, expected{msg.Type, modelKey{msg.ChannelId, msg.Txid}})
		if msg.Type == pb.ChaincodeMessage_RESPONSE && string(msg.Payload) != "v" {
			return errors.Errorf("the answer is %q", msg.Payload)
		}
	}
	order := func(a, b expected) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		return errors.Errorf("sent %v, want %v", got, want)
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
		p.memory[channel].put("cc", "k000", "v")
		p.memory["other"].put("cc", "k000", "v")
		m := &model{p: p, c: p.register("cc:1"), txs: map[modelKey]*modelTx{}}
		for n = 0; n < len(steps) && failure == nil; n++ {
			failure = m.step(steps[n])
		}
		m.c.cancel()
		m.stop()
		if failure == nil {
			p.check()
		}
	})
	return n, failure
}
