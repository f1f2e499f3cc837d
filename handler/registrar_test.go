package handler_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// slowRegistry takes its time to accept a chaincode.
type slowRegistry struct {
	*chaincode
	release chan struct{}
}

func (r *slowRegistry) Register(h *handler.Handler) error {
	<-r.release
	return r.chaincode.Register(h)
}

// connectSlowly connects a chaincode whose registry waits, and delivers REGISTER.
func connectSlowly(p *peer) *slowRegistry {
	r := &slowRegistry{release: make(chan struct{})}
	p.cfg.Registry = r
	r.chaincode = p.prepare()
	r.start()
	r.Deliver(registration("cc:1"))
	synctest.Wait()
	return r
}

// I2: a registry that takes its time holds up no loop: the stream can be ended meanwhile, and what the chaincode says is handled
// by what the registry has answered.
func TestSlowRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		r := connectSlowly(p)
		r.Deliver(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE}) // is all right when it is established
		r.wantSilence()
		close(r.release)
		r.want(pb.ChaincodeMessage_REGISTERED, "")
		r.want(pb.ChaincodeMessage_READY, "")
		<-r.ready
		if r.h.State() != handler.Ready || r.h.ChaincodeID() != "cc:1" {
			t.Errorf("%s is %s", r.h.ChaincodeID(), r.h.State())
		}
		r.stop()
	})
}

// A registry that is too slow costs the stream, and is told of the end of what it accepts nevertheless.
func TestRegistryIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		r := connectSlowly(p)
		r.wantEnd(codes.DeadlineExceeded, "the peer did not accept chaincode cc:1 within 10s, ending chaincode support stream")
		close(r.release)
		<-r.gone
		select {
		case <-r.ready:
			t.Error("the registry was told that the chaincode is ready")
		default:
		}
		r.wait()
	})
}

// A second REGISTER, sent before the first one was answered, is refused as it is later: in the state that the answer has led to, or
// in ready, if READY was quicker.
func TestRegisterTwiceWhileTheRegistryIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		r := connectSlowly(p)
		r.Deliver(registration("cc:2"))
		synctest.Wait()
		close(r.release)
		err := (<-r.ended).err
		got := plain(status.Convert(err).Message())
		if status.Code(err) != codes.InvalidArgument || got != refused(registration("cc:2"), "established") && got != refused(registration("cc:2"), "ready") {
			t.Errorf("the stream ended with %v", err)
		}
		<-r.gone
		r.wait()
	})
}

// HandleMessage may be called by anyone: what it is given is handled as if the chaincode had said it.
func TestHandleMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.rows(1)
		c := p.register("cc:1")
		calls := map[string]*call{}
		for _, txID := range []string{"tx1", "tx2", "tx3"} {
			calls[txID] = c.begin(txID)
		}
		for txID := range calls {
			go func() {
				for _, m := range []*pb.ChaincodeMessage{in(txID, getState("k000")), in(txID, completed())} {
					if err := handler.MessageHandler(c.h).HandleMessage(m); err != nil {
						t.Error(err)
					}
					<-time.After(time.Second)
				}
			}()
		}
		for _, x := range calls {
			x.wantReply(t)
		}
		<-time.After(time.Minute) // until those who say it have ended
		c.stop()
		for _, m := range []*pb.ChaincodeMessage{nil, in("tx1", getState("k000"))} {
			if err := c.h.HandleMessage(m); err != handler.ErrStreamTerminated {
				t.Errorf("after the end: %v", err)
			}
		}
		if err := c.h.HandleMessage(in("tx1", getState("k000"))); err != handler.ErrStreamTerminated {
			t.Errorf("got %v", err)
		}
		p.check()
	})
}
