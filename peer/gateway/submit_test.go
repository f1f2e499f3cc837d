package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/gateway"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// node is a node of an ordering service that is played.
type node struct {
	answer func(ctx context.Context) error
	mu     sync.Mutex
	got    [][]byte
}

// Broadcast implements gateway.Broadcaster.
func (n *node) Broadcast(ctx context.Context, envelope []byte) error {
	n.mu.Lock()
	n.got = append(n.got, envelope)
	n.mu.Unlock()
	return n.answer(ctx)
}

func refuses(s ordering.Status, text string) func(context.Context) error {
	return func(context.Context) error {
		return errors.WithMessage(&ordering.Error{Status: s, Text: text}, "wrapped")
	}
}

func accepts(context.Context) error { return nil }

func breaks(context.Context) error { return errors.New("broken") }

func never(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// order gives a world an ordering service.
func (w *world) order(answers ...func(context.Context) error) []*node {
	var nodes []*node
	w.orderers = &gateway.Orderers{}
	for i, a := range answers {
		n := &node{answer: a}
		nodes = append(nodes, n)
		w.orderers.Nodes = append(w.orderers.Nodes, gateway.Orderer{Address: fmt.Sprint("o", i), MSPID: "OrdererMSP", Broadcaster: n})
	}
	return nodes
}

func submitRequest(channelID string) *pb.SubmitRequest {
	return &pb.SubmitRequest{ChannelId: channelID, PreparedTransaction: &pb.Envelope{Payload: []byte("payload"), Signature: []byte("signature")}}
}

// Every way in which a transaction is not ordered.
func TestSubmit(t *testing.T) {
	good := submitRequest("mychannel")
	type answers = []func(context.Context) error
	for name, tc := range map[string]struct {
		req     *pb.SubmitRequest
		answers answers
		change  func(w *world)
		want    string
	}{
		"one node":       {req: good, answers: answers{accepts}},
		"one of several": {req: good, answers: answers{breaks, accepts, refuses(ordering.ServiceUnavailable, "no leader")}},
		"nothing":        {want: "InvalidArgument: a submit request is required"},
		"no envelope":    {req: &pb.SubmitRequest{ChannelId: "mychannel"}, want: "InvalidArgument: a prepared transaction is required"},
		"no signature":   {req: &pb.SubmitRequest{PreparedTransaction: &pb.Envelope{Payload: []byte("p")}}, want: "InvalidArgument: prepared transaction must be signed"},
		"an unknown channel": {
			req: submitRequest("other"), want: "FailedPrecondition: failed to get config for channel [other]: could not get last config for channel other",
		},
		"no channel":           {req: submitRequest(""), want: "FailedPrecondition: failed to get config for channel []: could not get last config for channel "},
		"an unreadable config": {req: good, change: func(w *world) { w.orderers.Cluster = -1 }, want: "FailedPrecondition: failed to get config for channel [mychannel]: config is invalid"},
		"no orderer config":    {req: good, change: func(w *world) { w.orderers = nil }, want: "NotFound: failed to create block deliverer for channel `mychannel`, missing OrdererConfig"},
		"no nodes":             {req: good, want: "Unavailable: no orderer nodes available"},
		"a bad request": {
			req: good, answers: answers{refuses(ordering.BadRequest, "error decoding")}, want: "Aborted: received unsuccessful response from orderer: status=BAD_REQUEST, info=error decoding",
		},
		"a forbidden one": {
			req: good, answers: answers{refuses(ordering.Forbidden, "no")}, want: "Aborted: received unsuccessful response from orderer: status=FORBIDDEN, info=no",
		},
		"no leader": {
			req: good, answers: answers{refuses(ordering.ServiceUnavailable, "no Raft leader")}, want: "Unavailable: no orderers could successfully process transaction",
		},
		"a broken node": {req: good, answers: answers{breaks}, want: "Unavailable: no orderers could successfully process transaction; o0 of OrdererMSP: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			nodes := w.order(tc.answers...)
			if tc.change != nil {
				tc.change(w)
			}
			_, err := w.gateway(t).Submit(t.Context(), tc.req)
			if got := said(t, err); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			for _, n := range nodes {
				for _, b := range n.got {
					var e pb.Envelope
					if err := proto.Unmarshal(b, &e); err != nil || !proto.Equal(&e, tc.req.GetPreparedTransaction()) {
						t.Errorf("a node gets %v, %v", &e, err)
					}
				}
			}
		})
	}
}

// Nodes are asked in any order.
func TestSubmitSpreads(t *testing.T) {
	w := newWorld(t)
	nodes := w.order(accepts, accepts)
	g := w.gateway(t)
	for range 64 {
		if _, err := g.Submit(t.Context(), submitRequest("mychannel")); err != nil {
			t.Fatal(err)
		}
	}
	if len(nodes[0].got) == 0 || len(nodes[1].got) == 0 || len(nodes[0].got)+len(nodes[1].got) != 64 {
		t.Errorf("the nodes get %d and %d", len(nodes[0].got), len(nodes[1].got))
	}
}

func TestSubmitInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.order(never)
		g := w.gateway(t)
		start := time.Now()
		_, err := g.Submit(t.Context(), submitRequest("mychannel"))
		if got := said(t, err); got != "Unavailable: no orderers could successfully process transaction; o0 of OrdererMSP: context deadline exceeded" || time.Since(start) != 10*time.Second {
			t.Errorf("%s after %s", got, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = g.Submit(ctx, submitRequest("mychannel"))
		if got := said(t, err); got != "DeadlineExceeded: submit timeout expired while broadcasting to ordering service" {
			t.Error(got)
		}
	})
}

// Nodes that don't trust each other must all be told, and most must have the transaction.
func TestSubmitToMost(t *testing.T) {
	type answers = []func(context.Context) error
	exists := refuses(ordering.ServiceUnavailable, "failed to submit request: request already exists")
	const few = "Unavailable: insufficient number of orderers could successfully process transaction to satisfy quorum requirement"
	for name, tc := range map[string]struct {
		answers answers
		cluster int
		want    string
		took    time.Duration
	}{
		"one":            {answers: answers{accepts}},
		"three of four":  {answers: answers{accepts, accepts, exists, never}},
		"one panics":     {answers: answers{accepts, accepts, accepts, func(context.Context) error { panic("fault") }}}, // F237
		"two of four":    {answers: answers{accepts, accepts, breaks, refuses(ordering.BadRequest, "bad")}, want: few},
		"three of seven": {answers: answers{accepts, accepts, accepts}, cluster: 7, want: few},
		"a slow one":     {answers: answers{accepts, accepts, breaks, never}, want: few + "; o2 of OrdererMSP: broken; o3 of OrdererMSP: context deadline exceeded", took: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				nodes := w.order(tc.answers...)
				w.orderers.BFT, w.orderers.Cluster = true, tc.cluster
				g := w.gateway(t)
				start := time.Now()
				_, err := g.Submit(t.Context(), submitRequest("mychannel"))
				got := said(t, err)
				if len(got) > len(few) && tc.took == 0 {
					got = got[:len(few)] // the details come in any order
				}
				if got != tc.want || time.Since(start) != tc.took {
					t.Errorf("%s after %s, want %s", got, time.Since(start), tc.want)
				}
				g.Close() // what goes on ends with the gateway
				for _, n := range nodes {
					if len(n.got) != 1 {
						t.Errorf("a node gets %d", len(n.got))
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				w.order(never, never, never, never)
				w.orderers.BFT = true
				if _, err := w.gateway(t).Submit(ctx, submitRequest("mychannel")); said(t, err) != "DeadlineExceeded: submit timeout expired while broadcasting to ordering service" {
					t.Error(err)
				}
			})
		})
	}
}
