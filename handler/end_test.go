package handler_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// seesEnd is a registry that asks a handler why it has ended.
type seesEnd struct {
	*chaincode
	before, cause error
}

func (r *seesEnd) Register(h *handler.Handler) error {
	r.before = h.Err()
	return r.chaincode.Register(h)
}

func (r *seesEnd) Deregister(h *handler.Handler) {
	r.cause = h.Err()
	r.chaincode.Deregister(h)
}

// The registry learns why a stream has ended when it is told that it has, also where that is before READY: whoever waits
// for the launch wants to know.
func TestErr(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		play func(*chaincode)
		want string
	}{
		{"closed by the chaincode", (*chaincode).CloseSend, "EOF"},
		{"closed by the peer", func(c *chaincode) { c.h.Close() }, "chaincode was stopped, ending chaincode support stream"},
		{"broken", func(c *chaincode) { c.Fail(broken) }, "receive from chaincode support stream failed: broken"},
		{"cut", func(c *chaincode) { c.cancel() }, "chaincode support stream ended: context canceled"},
	} {
		for _, ready := range []bool{false, true} {
			t.Run(test.name+map[bool]string{false: " before READY", true: ""}[ready], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPeer(t)
					r := &seesEnd{chaincode: p.prepare()}
					p.cfg.Registry = r
					if !ready {
						r.OnSend(func(m *pb.ChaincodeMessage) error {
							if m.Type == pb.ChaincodeMessage_READY {
								<-r.gone
							}
							return nil
						})
					}
					r.start()
					r.Deliver(registration("cc:1"))
					synctest.Wait()
					if err := r.h.Err(); r.before != nil || err != nil {
						t.Errorf("before the end: %v, %v", r.before, err)
					}
					test.play(r.chaincode)
					got := (<-r.ended).err
					if got == nil || got.Error() != test.want || r.cause != got || r.h.Err() != got {
						t.Errorf("the stream ended with %v, the registry was told %v, and afterwards %v, want %s", got, r.cause, r.h.Err(), test.want)
					}
					if test.want == "EOF" && got != io.EOF {
						t.Errorf("got %#v, want io.EOF", got)
					}
					r.wait()
				})
			})
		}
	}
}
