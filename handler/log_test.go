package handler_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// logging runs a chaincode at a log level, and returns what was logged with a text.
func logging(t *testing.T, level zapcore.Level, text string, play func(c *chaincode)) (lines []map[string]any) {
	t.Helper()
	core, logs := observer.New(level)
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.Logger = zap.New(core)
		c := p.register("cc:1")
		play(c)
		c.stop()
	})
	for _, e := range logs.FilterMessage(text).All() {
		lines = append(lines, e.ContextMap())
	}
	return lines
}

// refuse has n requests of a transaction refused by the ledger.
func refuse(c *chaincode, n int, cause string) {
	c.peer.ledger().On(ledgertest.GetState, ledgertest.Fail(errors.New(cause)))
	x := c.begin("tx")
	for range n {
		c.ask(pb.ChaincodeMessage_GET_STATE, "tx", &pb.GetState{Key: "k\x1b" + strings.Repeat("e", 500), Collection: ""})
		c.want(pb.ChaincodeMessage_ERROR, "tx")
	}
	c.complete("tx")
	<-x.done
}

// At level Debug, every request that was refused has a line with what was asked for and the whole reason.
func TestRefusedRequestsAtDebug(t *testing.T) {
	cause := "the value of " + strings.Repeat("k", 3000) + " is gone"
	lines := logging(t, zap.DebugLevel, "fault", func(c *chaincode) { refuse(c, 50, cause) })
	if len(lines) != 50 {
		t.Fatalf("%d lines, want 50", len(lines))
	}
	l := lines[49]
	key, _ := l["key"].(string)
	if got, _ := l["cause"].(string); !strings.Contains(got, cause) {
		t.Errorf("the cause is %s, want all of %q", got, cause)
	}
	if l["chaincode"] != "cc:1" || l["txid"] != "tx" || l["type"] != "GET_STATE" || l["channel"] != `"ch"` || l["reason"] != "failed_request" {
		t.Errorf("the line is %v", l)
	}
	if len(key) > 150 || !strings.HasPrefix(key, `"k\x1beee`) {
		t.Errorf("the key is %s, want it quoted and cut", key)
	}
}

// What was asked for is known of large requests, too, but their payloads aren't kept for it while they are served.
func TestLargeRequestAtDebug(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	p := newPeer(t)
	p.cfg.Logger = zap.New(core)
	c := p.register("cc:1")
	serving, release := make(chan struct{}), make(chan struct{})
	p.ledger().On(ledgertest.SetState, func(context.Context, func() error) error {
		close(serving)
		<-release
		return errors.New("no")
	})
	x := c.begin("tx")
	request := in("tx", message(pb.ChaincodeMessage_PUT_STATE, "", &pb.PutState{Key: "k", Value: make([]byte, 1<<20), Collection: ""}))
	payload := weak.Make(&request.Payload[0])
	c.Deliver(request)
	<-serving
	if request.Payload != nil {
		t.Error("the request has its payload while it is served")
	}
	for runtime.GC(); payload.Value() != nil; runtime.GC() { // in the test's timeout
		runtime.Gosched()
	}
	close(release)
	c.want(pb.ChaincodeMessage_ERROR, "tx")
	c.Deliver(in("tx", message(pb.ChaincodeMessage_INVOKE_CHAINCODE, "", &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "other"}})))
	c.want(pb.ChaincodeMessage_ERROR, "tx")
	c.complete("tx")
	x.wantReply(t)
	c.stop()
	lines := logs.FilterMessage("fault").All()
	if len(lines) != 2 || lines[0].ContextMap()["key"] != `"k"` || lines[1].ContextMap()["callee"] != `"other"` {
		t.Errorf("logged %v", lines)
	}
	if _, ok := lines[0].ContextMap()["value"]; ok {
		t.Error("the value is logged")
	}
}

// A malformed request has no line that would say more than it does.
func TestMalformedRequestAtDebug(t *testing.T) {
	lines := logging(t, zap.DebugLevel, "fault", func(c *chaincode) {
		x := c.begin("tx")
		m := message(pb.ChaincodeMessage_GET_STATE, "tx", &pb.GetState{Key: "k"})
		m.Payload = append(m.Payload, 0xff)
		c.Deliver(m)
		c.want(pb.ChaincodeMessage_ERROR, "tx")
		c.complete("tx")
		<-x.done
	})
	if len(lines) != 1 || lines[0]["key"] != `"k"` {
		t.Errorf("logged %v", lines)
	}
}

// Above Debug the first ones have lines, and the rest is counted when the stream ends.
func TestRefusedRequestsAboveDebug(t *testing.T) {
	if lines := logging(t, zap.InfoLevel, "fault", func(c *chaincode) { refuse(c, 6, "no") }); len(lines) != 6 {
		t.Errorf("%d lines of 6 refused requests", len(lines))
	}
	lines := logging(t, zap.InfoLevel, "fault", func(c *chaincode) {
		refuse(c, 50, "no")
		<-time.After(time.Second)
		refuse(c, 1, "no")
	})
	if len(lines) != 11 || lines[10]["skipped"] != int64(40) {
		t.Errorf("%d lines, the last one %v, want 11 and 40 skipped", len(lines), lines[len(lines)-1])
	}
	left := logging(t, zap.InfoLevel, "lines were left out", func(c *chaincode) {
		refuse(c, 50, "no")
		<-time.After(time.Second)
	})
	if len(left) != 1 || left[0]["skipped"] != int64(40) || left[0]["reason"] != "failed_request" {
		t.Errorf("at the end of the stream: %v, want 40 left out", left)
	}
}

// A long cause keeps its beginning and its end.
func TestLongCause(t *testing.T) {
	cause := "begin" + strings.Repeat("x", 5000) + "end"
	lines := logging(t, zap.InfoLevel, "fault", func(c *chaincode) { refuse(c, 1, cause) })
	got, _ := lines[0]["cause"].(string)
	if len(got) > 1200 || !strings.HasPrefix(got, `"begin`) && !strings.HasPrefix(got, `"GET_STATE`) || !strings.HasSuffix(got, `end"`) || !strings.Contains(got, "bytes cut") {
		t.Errorf("the cause is %s", got)
	}
}

// Handlers that share a limiter share the limit: also one stream after the other writes no more than one a second.
func TestSharedLogLimiter(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	limiter := new(handler.LogLimiter)
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.Logger, p.cfg.LogLimiter = zap.New(core), limiter
		for range 3000 {
			c := p.connect()
			c.Deliver(message(pb.ChaincodeMessage_GET_STATE, "tx", &pb.GetState{Key: "k"}))
			<-c.ended
			c.wait()
		}
	})
	limiter.Flush(zap.New(core))
	total := int64(0)
	for _, e := range logs.All() {
		if n, ok := e.ContextMap()["skipped"].(int64); ok {
			total += n
		}
		if e.Message != "lines were left out" {
			total++
		}
	}
	if n := logs.Len(); n > 30 || total != 6000 {
		t.Errorf("3,000 streams wrote %d lines, and %d are accounted for, want at most 30 and 6,000", n, total)
	}
}
