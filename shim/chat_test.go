package shim_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func ok(stub) *shim.Response { return shim.Success(nil) }

// How each way for Init and Invoke to end reaches the peer.
func TestOutcomes(t *testing.T) {
	const initType, invoke = pb.ChaincodeMessage_INIT, pb.ChaincodeMessage_TRANSACTION
	event := &pb.ChaincodeEvent{EventName: "e", Payload: []byte("p")}
	for _, test := range []struct {
		name string
		typ  pb.ChaincodeMessage_Type
		cc   func(stub) *shim.Response
		want *msg
	}{
		{"init succeeds", initType, ok, &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Success(nil))}},
		{"init returns 400", initType, func(stub) *shim.Response { return &shim.Response{Status: 400, Message: "m"} },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, &shim.Response{Status: 400, Message: "m"})}},
		{"init fails", initType, func(stub) *shim.Response { return shim.Error("m") }, &msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("m")}},
		{"invoke fails", invoke, func(stub) *shim.Response { return shim.Error("m") },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("m"))}},
		{"invoke returns nil", invoke, func(stub) *shim.Response { return nil },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("chaincode returned no response"))}},
		{"init returns nil", initType, func(stub) *shim.Response { return nil },
			&msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("chaincode returned no response")}},
		{"invoke panics", invoke, func(stub) *shim.Response { panic("secret") },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("chaincode panicked"))}},
		{"init panics", initType, func(stub) *shim.Response { panic("secret") }, &msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("chaincode panicked")}},
		{"invoke ends its goroutine", invoke, func(stub) *shim.Response { runtime.Goexit(); return nil },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("chaincode panicked"))}},
		{"event", invoke, func(s stub) *shim.Response {
			_, payload := s.SetEvent("first", nil), []byte("p")
			_ = s.SetEvent("e", payload)
			payload[0] = 'x' // the slice is not kept
			return shim.Success(nil)
		}, &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Success(nil)), ChaincodeEvent: event}},
		{"event of a failure", invoke, func(s stub) *shim.Response { _ = s.SetEvent("e", []byte("p")); return shim.Error("m") },
			&msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("m")), ChaincodeEvent: event}},
		{"message is not UTF-8", invoke, func(stub) *shim.Response { return shim.Error("\xff") },
			&msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("failed to marshal response: ")}},
		{"too large", invoke, func(stub) *shim.Response { return shim.Success(make([]byte, pb.MaxMessageSize)) },
			&msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("COMPLETED of 104857623 bytes, limit 104857600: message is too large")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, function(test.cc))
			c.begin(test.typ, "tx")
			got := c.expect(test.want.GetType(), nil)
			if strings.HasSuffix(string(test.want.GetPayload()), ": ") { // the rest is protobuf's own text, which varies
				got.Payload = got.GetPayload()[:len(test.want.GetPayload())]
			}
			test.want.Txid, test.want.ChannelId = "tx", "ch"
			if !proto.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	cfg := shim.Config{ChaincodeID: "cc:1", Logger: slog.New(slog.NewTextHandler(&log, nil))}
	c := talk(t, cfg, function(func(stub) *shim.Response { panic("secret") }))
	c.handshake()
	c.begin(pb.ChaincodeMessage_TRANSACTION, "0123456789")
	c.completed("0123456789")
	c.end(nil)
	if err := <-c.done; !errors.Is(err, io.EOF) {
		t.Errorf("Chat: %v", err)
	}
	for _, want := range []string{"txID=01234567 ", "panic=secret", "TestPanicIsLogged"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log has no %q: %s", want, &log)
		}
	}
}

// The whole table of message types and states: what may come when, and that everything else ends the stream.
func TestMessagesByState(t *testing.T) {
	handshake := []*msg{{Type: pb.ChaincodeMessage_REGISTERED}, {Type: pb.ChaincodeMessage_READY}}
	types := []pb.ChaincodeMessage_Type{99}
	for n := range pb.ChaincodeMessage_Type_name {
		types = append(types, pb.ChaincodeMessage_Type(n))
	}
	for sent, state := range []string{"created", "established", "ready"} {
		for _, typ := range types {
			accepted := typ == pb.ChaincodeMessage_KEEPALIVE ||
				sent < 2 && typ == handshake[sent].GetType() ||
				sent == 2 && (typ == pb.ChaincodeMessage_INIT || typ == pb.ChaincodeMessage_TRANSACTION)
			text := fmt.Sprintf("[tx] Chaincode handler cannot handle message (%s) while in state: %s", typ, state)
			if sent == 2 && (typ == pb.ChaincodeMessage_RESPONSE || typ == pb.ChaincodeMessage_ERROR) {
				text = fmt.Sprintf("[tx] no request waits for this %s", typ)
			}
			t.Run(state+" "+typ.String(), func(t *testing.T) {
				c := talk(t, shim.Config{ChaincodeID: "cc:1"}, function(ok))
				c.expect(pb.ChaincodeMessage_REGISTER, nil)
				for _, m := range handshake[:sent] {
					c.send(m)
				}
				c.send(&msg{Type: typ, Txid: "tx", ChannelId: "ch"})
				if accepted {
					c.end(nil)
					if err := <-c.done; !errors.Is(err, io.EOF) {
						t.Errorf("ended with %v", err)
					}
					return
				}
				if err := <-c.done; err == nil || err.Error() != "handle message: "+text {
					t.Errorf("ended with %v, want %q", err, text)
				}
				if m := c.expect(pb.ChaincodeMessage_ERROR, nil); string(m.GetPayload()) != text || m.GetTxid() != "tx" || m.GetChannelId() != "ch" {
					t.Errorf("answered with %v", m)
				}
			})
		}
	}
}

func TestKeepaliveIsEchoedInEveryState(t *testing.T) {
	c := talk(t, shim.Config{ChaincodeID: "cc:1"}, function(ok))
	c.expect(pb.ChaincodeMessage_REGISTER, nil)
	ping := &msg{Type: pb.ChaincodeMessage_KEEPALIVE}
	for _, typ := range []pb.ChaincodeMessage_Type{pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_READY, pb.ChaincodeMessage_KEEPALIVE} {
		c.send(ping)
		if m := c.expect(pb.ChaincodeMessage_KEEPALIVE, nil); !proto.Equal(m, ping) {
			t.Errorf("before %s: got %v", typ, m)
		}
		c.send(&msg{Type: typ})
	}
	c.end(nil)
	if err := <-c.done; !errors.Is(err, io.EOF) {
		t.Errorf("Chat: %v", err)
	}
}

// Transactions run at once, their answers come in any order, and one txid may run on two channels.
func TestInterleaved(t *testing.T) {
	c := connect(t, function(func(s stub) *shim.Response {
		v, err := s.GetState("k")
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(v)
	}))
	requests := make(map[[2]string]*msg)
	for _, key := range [][2]string{{"ch", "a"}, {"ch", "b"}, {"other", "a"}} {
		c.send(&msg{Type: pb.ChaincodeMessage_TRANSACTION, ChannelId: key[0], Txid: key[1]})
	}
	for range 3 {
		m := c.expect(pb.ChaincodeMessage_GET_STATE, nil)
		requests[[2]string{m.GetChannelId(), m.GetTxid()}] = m
	}
	for _, key := range [][2]string{{"other", "a"}, {"ch", "b"}, {"ch", "a"}} {
		c.answer(requests[key], pb.ChaincodeMessage_RESPONSE, []byte(key[0]+key[1]))
		m := c.expect(pb.ChaincodeMessage_COMPLETED, nil)
		if m.GetChannelId() != key[0] || m.GetTxid() != key[1] || string(mustResponse(t, m).GetPayload()) != key[0]+key[1] {
			t.Errorf("%v: got %v", key, m)
		}
	}
}

// Misuse: two requests of one transaction at once, and a stub that outlives its transaction.
func TestMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := make(chan stub, 1)
		first, underWay := make(chan error, 1), make(chan struct{})
		c := connect(t, function(func(s stub) *shim.Response {
			kept <- s
			go func() { _, err := s.GetState("first"); first <- err }()
			<-underWay
			_, err := s.GetState("second")
			return shim.Error(fmt.Sprint(errors.Is(err, shim.ErrConcurrentRequest), " ", err))
		}))
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		request := c.expect(pb.ChaincodeMessage_GET_STATE, nil)
		close(underWay)
		synctest.Wait() // COMPLETED waits for the answer to the first request
		c.answer(request, pb.ChaincodeMessage_RESPONSE, nil)
		want := "true [tx] error sending GET_STATE: " + shim.ErrConcurrentRequest.Error()
		if res := c.completed("tx"); res.GetMessage() != want {
			t.Errorf("second request: %v", res)
		}
		if err := <-first; err != nil {
			t.Errorf("first request: %v", err)
		}
		s := <-kept
		if _, err := s.GetState("k"); !errors.Is(err, shim.ErrTransactionFinished) {
			t.Errorf("request after the end: %v", err)
		}
		if err := s.SetEvent("e", nil); !errors.Is(err, shim.ErrTransactionFinished) {
			t.Errorf("event after the end: %v", err)
		}
	})
}

// The peer may give a transaction up and run it again: the first run's requests and result count no more.
func TestTransactionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 2)
		c := connect(t, function(func(s stub) *shim.Response {
			_, err := s.GetState(string(s.GetArgs()[0]))
			results <- err
			return shim.Success(s.GetArgs()[0])
		}))
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx", "old")
		c.expect(pb.ChaincodeMessage_GET_STATE, nil)
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx", "new")
		request := c.expect(pb.ChaincodeMessage_GET_STATE, nil)
		if err := <-results; !errors.Is(err, shim.ErrTransactionReplaced) {
			t.Errorf("old request: %v", err)
		}
		synctest.Wait()
		c.answer(request, pb.ChaincodeMessage_RESPONSE, nil)
		if res := c.completed("tx"); string(res.GetPayload()) != "new" {
			t.Errorf("got %v", res)
		}
		if err := <-results; err != nil {
			t.Errorf("new request: %v", err)
		}
	})
}

// The stream's end frees every request that waits, and Chat waits for the transactions.
func TestStreamEndFreesRequests(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct{ end, want error }{"in good order": {nil, io.EOF}, "broken": {broken, broken}} {
		t.Run(name, func(t *testing.T) {
			var got []error
			c := talk(t, shim.Config{ChaincodeID: "cc:1"}, function(func(s stub) *shim.Response {
				_, first := s.GetState("k")
				_, second := s.GetState("k")
				got = append(got, first, second)
				return shim.Success(nil)
			}))
			c.handshake()
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			c.expect(pb.ChaincodeMessage_GET_STATE, nil)
			c.end(test.end)
			if err := <-c.done; !errors.Is(err, test.want) {
				t.Errorf("Chat: %v", err)
			}
			if len(got) != 2 || !errors.Is(got[0], shim.ErrStreamEnded) || !errors.Is(got[1], shim.ErrStreamEnded) {
				t.Errorf("requests: %v", got)
			}
		})
	}
}

// A function that never returns holds Chat up for the grace time, and no longer.
func TestGrace(t *testing.T) {
	for configured, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			stuck := make(chan struct{})
			c := talk(t, shim.Config{ChaincodeID: "cc:1", Grace: configured}, function(func(stub) *shim.Response { <-stuck; return nil }))
			c.handshake()
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			synctest.Wait()
			start := time.Now()
			c.end(nil)
			err := <-c.done
			if took := time.Since(start); took != want {
				t.Errorf("took %s, want %s", took, want)
			}
			if text := fmt.Sprintf("transactions still running %s after the end", want); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v", err)
			}
			close(stuck)
		})
	}
}

func TestChatWants(t *testing.T) {
	for want, test := range map[string]struct {
		cfg shim.Config
		cc  shim.Chaincode
	}{
		"chaincode ID must be specified":        {shim.Config{}, function(ok)},
		"chaincode must be specified":           {shim.Config{ChaincodeID: "cc"}, nil},
		`marshal chaincode ID "\xff": `:         {shim.Config{ChaincodeID: "\xff"}, function(ok)},
		"received EOF, ending chaincode stream": {shim.Config{ChaincodeID: "cc"}, function(ok)},
	} {
		c := talk(t, test.cfg, test.cc)
		c.end(nil)
		if err := <-c.done; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
