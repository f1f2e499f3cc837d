package gateway_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Every way in which an evaluation ends has its code, its text and its details, as Fabric's gateway has them.
func TestEvaluate(t *testing.T) {
	own := []string{"1a", "1b"}
	all := []string{"1a", "1b", "2a", "2b", "3a", "3b"}
	secret := map[string][]byte{"k": []byte("v")}
	for name, tc := range map[string]struct {
		chaincode, channel string // asset, mychannel
		transient          map[string][]byte
		targets            []string
		play               func(w *world)
		want               string // an error, or "" for a result
		asked              string
	}{
		"the host is asked":                 {asked: "1b"},
		"who is ahead is asked":             {play: func(w *world) { w.peers[0].Height = 6 }, asked: "1a"},
		"own peers come before higher ones": {play: func(w *world) { w.peers[2].Height = 9 }, asked: "1b"},
		"transient data stays at home":      {transient: secret, asked: "1b"},
		"targets":                           {targets: []string{"Org3MSP", "Org2MSP"}, play: func(w *world) { w.peers[5].Height = 8 }, asked: "3b"},
		"own peers among targets":           {targets: []string{"Org3MSP", "Org1MSP"}, asked: "1b"},
		"transient data for targets":        {transient: secret, targets: []string{"Org2MSP"}, asked: "2a"},
		"a status below 400":                {play: func(w *world) { w.play(says(399, "", []byte{}), "1b") }, asked: "1b"},
		"a dead peer":                       {play: func(w *world) { w.play(fails("dead", false), "1b") }, asked: "1a 1b"},
		"own peers are dead":                {play: func(w *world) { w.play(fails("dead", false), own...) }, asked: "1a 1b 2a"},
		"a peer that breaks": {
			play: func(w *world) { w.play(says(500, "error in simulation: broken", nil), own...) }, asked: "1a 1b 2a",
		},
		"an unknown channel": {channel: "other", want: "Unavailable: failed to get config for channel [other]: could not get last config for channel other"},
		"an unknown chaincode": {
			chaincode: "nothing", want: "FailedPrecondition: no peers available to evaluate chaincode nothing in channel mychannel",
		},
		"transient data without own peers": {
			transient: secret, play: func(w *world) { w.endorsers["1a"].chaincodes, w.endorsers["1b"].chaincodes = nil, nil },
			want: "FailedPrecondition: no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: " +
				"no peers available to evaluate chaincode asset in channel mychannel",
		},
		"unknown targets": {targets: []string{"Org9MSP"}, want: "FailedPrecondition: no peers available to evaluate chaincode asset in channel mychannel"},
		"all are dead": {
			play: func(w *world) { w.play(fails("dead", false), all...) }, asked: "1a 1b 2a 2b 3a 3b",
			want: "Unavailable: failed to evaluate transaction, see attached details for more info; 1b of Org1MSP: dead; 1a of Org1MSP: dead; " +
				"2a of Org2MSP: dead; 2b of Org2MSP: dead; 3a of Org3MSP: dead; 3b of Org3MSP: dead",
		},
		"all break": {
			targets: []string{"Org1MSP"}, play: func(w *world) { w.play(says(500, "chaincode stream terminated", nil), own...) }, asked: "1a 1b",
			want: "Aborted: failed to evaluate transaction, see attached details for more info; 1b of Org1MSP: chaincode stream terminated; 1a of Org1MSP: chaincode stream terminated",
		},
		"the proposal is refused": {
			play: func(w *world) { w.play(fails("access denied: channel [mychannel] creator org [Org1MSP]", true), "1b") }, asked: "1b",
			want: "FailedPrecondition: evaluate call to endorser returned error: access denied: channel [mychannel] creator org [Org1MSP]; 1b of Org1MSP: access denied: channel [mychannel] creator org [Org1MSP]",
		},
		"the chaincode's 500": {
			play: func(w *world) { w.play(says(500, "no", []byte("payload")), "1b") }, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 500, no; 1b of Org1MSP: chaincode response 500, no",
		},
		"the chaincode's 404": {
			play: func(w *world) { w.play(says(404, "no", nil), "1b") }, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 404, no; 1b of Org1MSP: chaincode response 404, no",
		},
		"the chaincode's 0": {
			play: func(w *world) { w.play(says(0, "no", []byte{}), "1b") }, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 0, no; 1b of Org1MSP: chaincode response 0, no",
		},
		"the chaincode's 199": {
			play: func(w *world) { w.play(says(199, "", nil), "1b") }, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 199, ; 1b of Org1MSP: chaincode response 199, ",
		},
		"a chaincode that says no UTF-8": {
			play: func(w *world) { w.play(says(500, "\xff", []byte{}), "1b") }, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 500, \uFFFD; 1b of Org1MSP: chaincode response 500, \uFFFD",
		},
		"an empty answer": {
			play: func(w *world) {
				w.play(func(context.Context, *endorser) (*pb.ProposalResponse, error) { return nil, nil }, "1b")
			}, asked: "1b",
			want: "Unknown: evaluate call to endorser returned error: chaincode response 0, ; 1b of Org1MSP: chaincode response 0, ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.play != nil {
				tc.play(w)
			}
			if tc.channel == "" {
				tc.channel = "mychannel"
			}
			if tc.chaincode == "" {
				tc.chaincode = "asset"
			}
			r, err := w.gateway(t).Evaluate(t.Context(), &pb.EvaluateRequest{
				ChannelId: "ignored", TransactionId: "ignored", ProposedTransaction: w.proposal(t, tc.chaincode, tc.channel, tc.transient), TargetOrganizations: tc.targets,
			})
			if got := said(t, err); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if got := w.asked(); got != tc.asked {
				t.Errorf("%q are asked, want %q", got, tc.asked)
			}
			if result := r.GetResult(); tc.want == "" && (result.GetStatus() < 200 || result.GetStatus() == 200 && string(result.GetPayload()) != "done") {
				t.Errorf("%v", r)
			}
		})
	}
}

// evaluator is a peer that needn't endorse.
type evaluator struct {
	*endorser
	evaluations int
}

var _ plan.Evaluator = (*evaluator)(nil)

// Evaluate implements plan.Evaluator.
func (e *evaluator) Evaluate(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	e.evaluations++
	r, err := e.ProcessProposal(ctx, signed)
	r.Endorsement = nil
	return r, err
}

// A peer that needn't endorse what is only evaluated isn't asked to. It endorses what is submitted.
func TestEvaluator(t *testing.T) {
	w := newWorld(t)
	e := &evaluator{endorser: w.endorsers["1b"]}
	for _, p := range w.peers {
		if p.Address == "1b" {
			p.Endorser = e
		}
	}
	g, signed := w.gateway(t), w.proposal(t, "asset", "mychannel", nil)
	r, err := g.Evaluate(t.Context(), &pb.EvaluateRequest{ProposedTransaction: signed})
	if err != nil || string(r.GetResult().GetPayload()) != "done" || e.evaluations != 1 {
		t.Errorf("%v, %v, and %d evaluations", r, err, e.evaluations)
	}
	if _, err := g.Endorse(t.Context(), &pb.EndorseRequest{ProposedTransaction: signed}); err != nil || e.evaluations != 1 {
		t.Errorf("%v, and %d evaluations", err, e.evaluations)
	}
}

// What can't be decoded is refused before anybody is asked, part by part.
func TestUnpack(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(t)
	type parts struct {
		outer   pb.Proposal
		header  pb.Header
		channel pb.ChannelHeader
		payload pb.ChaincodeProposalPayload
		call    pb.ChaincodeInvocationSpec
	}
	broken := []byte{0xff}
	for _, tc := range []struct {
		change   func(p *parts, outer *[]byte)
		evaluate string
		endorse  string
	}{
		{func(_ *parts, outer *[]byte) { *outer = nil }, "a signed proposal is required", "the proposed transaction must contain a signed proposal"},
		{func(_ *parts, outer *[]byte) { *outer = broken }, "error unmarshalling Proposal: ", "error unmarshalling Proposal: "},
		{func(p *parts, _ *[]byte) { p.outer.Header = broken }, "error unmarshalling Header: ", "error unmarshalling Header: "},
		{func(p *parts, _ *[]byte) { p.header.ChannelHeader = broken }, "error unmarshalling ChannelHeader: ", "error unmarshalling ChannelHeader: "},
		{func(p *parts, _ *[]byte) { p.outer.Payload = broken }, "error unmarshalling ChaincodeProposalPayload: ", "error unmarshalling ChaincodeProposalPayload: "},
		{func(p *parts, _ *[]byte) { p.payload.Input = broken }, "error unmarshalling ChaincodeInvocationSpec: ", "error unmarshalling ChaincodeInvocationSpec: "},
		{func(p *parts, _ *[]byte) { p.channel.ChannelId = "" }, "no channel id provided", ""},
		{func(p *parts, _ *[]byte) { p.call.ChaincodeSpec = nil }, "no chaincode spec is provided, channel id [mychannel]", ""},
		{func(p *parts, _ *[]byte) { p.call.ChaincodeSpec.ChaincodeId = nil }, "no chaincode id is provided, channel id [mychannel]", ""},
		{func(p *parts, _ *[]byte) { p.call.ChaincodeSpec.ChaincodeId.Name = "" }, "no chaincode name is provided, channel id [mychannel]", ""},
	} {
		p := &parts{channel: pb.ChannelHeader{ChannelId: "mychannel"}, call: pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "asset"}}}}
		var outer []byte
		// Twice, as a change may be of what is around.
		tc.change(p, &outer)
		fill := func(b *[]byte, m proto.Message) {
			if *b == nil {
				*b = marshal(m)
			}
		}
		fill(&p.payload.Input, &p.call)
		fill(&p.header.ChannelHeader, &p.channel)
		fill(&p.outer.Header, &p.header)
		fill(&p.outer.Payload, &p.payload)
		if tc.evaluate != "a signed proposal is required" {
			fill(&outer, &p.outer)
		}
		signed := &pb.SignedProposal{ProposalBytes: outer}
		_, err := g.Evaluate(t.Context(), &pb.EvaluateRequest{ProposedTransaction: signed})
		if got := said(t, err); !strings.HasPrefix(got, "InvalidArgument: failed to unpack transaction proposal: "+tc.evaluate) {
			t.Errorf("%s, want %s", got, tc.evaluate)
		}
		if tc.endorse == "" {
			continue
		}
		_, err = g.Endorse(t.Context(), &pb.EndorseRequest{ProposedTransaction: signed})
		if got := said(t, err); !strings.HasPrefix(got, "InvalidArgument: "+tc.endorse) {
			t.Errorf("%s, want %s", got, tc.endorse)
		}
	}
	if _, err := g.Evaluate(t.Context(), nil); said(t, err) != "InvalidArgument: an evaluate request is required" {
		t.Error(err)
	}
	if w.asked() != "" {
		t.Errorf("%s are asked", w.asked())
	}
}

// A peer that takes too long is left for another. A client that doesn't wait that long gets a text of its own.
func TestEvaluateInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gateway(t)
		w.play(hangs, "1b")
		start := time.Now()
		r, err := g.Evaluate(t.Context(), &pb.EvaluateRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
		if err != nil || string(r.GetResult().GetPayload()) != "done" || time.Since(start) != 10*time.Second {
			t.Errorf("%v, %v after %s", r, err, time.Since(start))
		}
		w.play(hangs, "1a")
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		_, err = g.Evaluate(ctx, &pb.EvaluateRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
		if got := said(t, err); got != "DeadlineExceeded: evaluate timeout expired" {
			t.Error(got)
		}
	})
}

// overdue is a context whose deadline has passed, and that doesn't say so yet.
type overdue struct{ context.Context }

func (overdue) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// A peer has a clock of its own. If it gives up before the context ends, the client gets the text for its deadline, and not the peer's.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(t)
	w.play(says(500, "timeout expired while executing transaction", nil), "1a", "1b", "2a")
	ctx := overdue{t.Context()}
	_, err := g.Evaluate(ctx, &pb.EvaluateRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if got := said(t, err); got != "DeadlineExceeded: evaluate timeout expired" {
		t.Error(got)
	}
	_, err = g.Endorse(ctx, &pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if got := said(t, err); got != "DeadlineExceeded: endorsement timeout expired while collecting first endorsement" {
		t.Error(got)
	}
}

// F185: errors travel in headers, so they have a limit, whatever a client or a chaincode says.
func TestLongTexts(t *testing.T) {
	w := newWorld(t)
	conn := serve(t, w.gateway(t))
	long := strings.Repeat("ä", 1<<18)
	w.play(says(400, long, nil), "1b")
	for name, chaincode := range map[string]string{"chaincode": "asset", "client": long} {
		_, err := pbgrpc.Call[pb.EvaluateResponse](t.Context(), conn, pbgrpc.Gateway_Evaluate_FullMethodName,
			&pb.EvaluateRequest{ProposedTransaction: w.proposal(t, chaincode, "mychannel", nil)})
		got := said(t, err)
		if !strings.HasPrefix(got, "Unknown: evaluate call to endorser returned error: chaincode response 400, ä") && !strings.HasPrefix(got, "FailedPrecondition: no peers available to evaluate chaincode ä") || len(got) > 150_000 {
			t.Errorf("what a %s says is %d bytes: %.100s", name, len(got), got)
		}
	}
}
