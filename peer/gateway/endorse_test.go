package gateway_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
)

// signers are the addresses of those whose endorsements are in a transaction, in its order.
func (w *world) signers(t *testing.T, envelope *pb.Envelope) string {
	t.Helper()
	var (
		payload pb.Payload
		inner   pb.Transaction
		action  pb.ChaincodeActionPayload
	)
	for _, layer := range []struct {
		bytes func() []byte
		into  proto.Message
	}{
		{envelope.GetPayload, &payload}, {payload.GetData, &inner}, {func() []byte { return inner.GetActions()[0].GetPayload() }, &action},
	} {
		if err := proto.Unmarshal(layer.bytes(), layer.into); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	for _, e := range action.GetAction().GetEndorsements() {
		for _, p := range w.peers {
			if bytes.Equal(w.endorsers[p.Address].creator, e.GetEndorser()) {
				all = append(all, p.Address)
			}
		}
	}
	return strings.Join(all, " ")
}

// Whose endorsements are in the transaction, and every way in which there is none.
func TestEndorse(t *testing.T) {
	secret := map[string][]byte{"k": []byte("v")}
	own := []string{"1a", "1b"}
	two := "OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')"
	notHere := func(addresses ...string) func(w *world) {
		return func(w *world) {
			for _, a := range addresses {
				w.endorsers[a].chaincodes = nil
			}
		}
	}
	const enough = "Aborted: failed to collect enough transaction endorsements, see attached details for more info"
	const none = "FailedPrecondition: no combination of peers can be derived which satisfy the endorsement policy: "
	for name, tc := range map[string]struct {
		chaincode, channel, policy string
		transient                  map[string][]byte
		organizations              []string
		play                       func(w *world)
		want                       string // an error
		signers, asked             string
	}{
		"the host is enough":                   {signers: "1b", asked: "1b"},
		"two organizations":                    {policy: two, signers: "1b 2a", asked: "1b 2a"},
		"the first is not needed":              {policy: "AND('Org2MSP.peer', 'Org3MSP.peer')", signers: "2a 3a", asked: "1b 2a 3a"},
		"a named organization":                 {organizations: []string{"Org2MSP"}, signers: "2a", asked: "2a"},
		"named organizations":                  {organizations: []string{"Org3MSP", "Org1MSP"}, signers: "1b 3a", asked: "1b 3a"},
		"named organizations, no policy":       {policy: two, organizations: []string{"Org2MSP"}, signers: "2a", asked: "2a"},
		"the interest decides":                 {play: func(w *world) { w.play(endorses("done", &pb.ChaincodeCall{Name: "both"}), "1b", "2a") }, signers: "1b 2a", asked: "1b 2a"},
		"another peer at home":                 {play: func(w *world) { w.play(fails("dead", false), "1b") }, signers: "1a", asked: "1a 1b"},
		"another peer elsewhere":               {policy: two, play: func(w *world) { w.play(says(500, "no", nil), "2a") }, signers: "1b 2b", asked: "1b 2a 2b"},
		"another organization":                 {policy: two, play: func(w *world) { w.play(says(404, "no", nil), "2a", "2b") }, signers: "1b 3a", asked: "1b 2a 2b 3a"},
		"another than one that differs":        {policy: two, play: func(w *world) { w.play(endorses("else"), "2a") }, signers: "1b 2b", asked: "1b 2a 2b"},
		"one of a named organization panics":   {organizations: []string{"Org2MSP"}, play: func(w *world) { w.play(panics, "2a") }, signers: "2b", asked: "2a 2b"}, // F237
		"nobody at home has it":                {play: notHere(own...), signers: "2a", asked: "2a"},
		"nobody at home has it, and one fails": {play: func(w *world) { notHere(own...)(w); w.play(fails("dead", false), "2a") }, signers: "2b", asked: "2a 2b"},
		"transient data at home":               {transient: secret, signers: "1b", asked: "1b"},
		"transient data for members": {
			policy: two, transient: secret, play: func(w *world) {
				w.members["secrets"] = []string{"Org1MSP", "Org3MSP"}
				w.play(endorses("done", &pb.ChaincodeCall{Name: "asset", CollectionNames: []string{"secrets"}, NoPrivateReads: true}), "1b")
			}, signers: "1b 3a", asked: "1b 3a",
		},
		"transient data for others": {
			policy: "AND('Org1MSP.peer', 'Org2MSP.peer')", transient: secret, play: func(w *world) {
				w.members["secrets"] = []string{"Org1MSP", "Org3MSP"}
				w.play(endorses("done", &pb.ChaincodeCall{Name: "asset", CollectionNames: []string{"secrets"}, NoPrivateReads: true}), "1b")
			}, asked: "1b",
			want: "FailedPrecondition: requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): [secrets]; " +
				"retry specifying trusted endorsing organizations to protect transient data",
		},
		"transient data and nobody at home": {
			transient: secret, play: notHere(own...),
			want: "FailedPrecondition: no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data",
		},
		"transient data for a named organization": {transient: secret, organizations: []string{"Org2MSP"}, signers: "2a", asked: "2a"},
		"an unknown chaincode":                    {chaincode: "nothing", want: none + "No metadata was found for chaincode nothing in channel mychannel"},
		"an undefined chaincode":                  {chaincode: "undefined", want: none + "No metadata was found for chaincode undefined in channel mychannel", asked: "1b"},
		"an unknown channel":                      {channel: "other", want: none + "No metadata was found for chaincode asset in channel other"},
		"an unknown channel, named organizations": {channel: "other", organizations: []string{"Org1MSP"}, want: "Unavailable: failed to find any endorsing peers for org(s): Org1MSP"},
		"named organizations without it": {
			organizations: []string{"Org2MSP", "Org1MSP", "Org9MSP"}, play: notHere("2a", "2b"), want: "Unavailable: failed to find any endorsing peers for org(s): Org2MSP, Org9MSP",
		},
		"too few peers have it": {policy: "AND('Org1MSP.peer', 'Org2MSP.peer')", play: notHere("2a", "2b"), want: none + "required chaincodes are not installed on sufficient peers", asked: "1b"},
		"a policy of nobody":    {policy: "OR('Org9MSP.peer')", want: none + "no peer combination can satisfy the endorsement policy", asked: "1b"},
		"the chaincode refuses": {
			play: func(w *world) { w.play(says(500, "no", []byte("payload")), own...) }, asked: "1a 1b",
			want: "Aborted: failed to endorse transaction, see attached details for more info; 1b of Org1MSP: chaincode response 500, no; 1a of Org1MSP: chaincode response 500, no",
		},
		"the proposal is refused": {
			play: func(w *world) {
				w.play(fails("access denied", true), "1b")
				w.play(fails("rpc error: access denied", false), "1a")
			}, asked: "1a 1b",
			want: "Aborted: failed to endorse transaction, see attached details for more info; 1b of Org1MSP: access denied; 1a of Org1MSP: rpc error: access denied",
		},
		"others fail": {
			policy: "AND('Org1MSP.peer', 'Org2MSP.peer')", play: func(w *world) { w.play(says(500, "broken", nil), "2a"); w.play(endorses("else"), "2b") }, asked: "1b 2a 2b",
			want: enough + "; 2a of Org2MSP: broken; 2b of Org2MSP: ProposalResponsePayloads do not match",
		},
		"all differ": {
			policy: "AND('Org1MSP.peer', 'Org3MSP.peer')", play: func(w *world) { w.play(endorses("else"), "3a", "3b") }, asked: "1b 3a 3b",
			want: enough + "; 3a of Org3MSP: ProposalResponsePayloads do not match; 3b of Org3MSP: ProposalResponsePayloads do not match",
		},
		"a named organization fails": {
			organizations: []string{"Org2MSP"}, play: func(w *world) { w.play(says(404, "no", nil), "2a", "2b") }, asked: "2a 2b",
			want: enough + "; 2a of Org2MSP: chaincode response 404, no; 2b of Org2MSP: chaincode response 404, no",
		},
		"an answer that isn't endorsed": {
			play: func(w *world) { w.play(says(200, "", nil), "1b") }, asked: "1b", want: "Aborted: failed to assemble transaction: a proposal response has no endorsement",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policies["both"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')")
			if tc.policy != "" {
				w.policies["asset"] = parse(t, tc.policy)
			}
			for _, e := range w.endorsers {
				e.chaincodes = append(e.chaincodes, "both")
			}
			if tc.play != nil {
				tc.play(w)
			}
			if tc.channel == "" {
				tc.channel = "mychannel"
			}
			if tc.chaincode == "" {
				tc.chaincode = "asset"
			}
			r, err := w.gateway(t).Endorse(t.Context(), &pb.EndorseRequest{
				ChannelId: "ignored", TransactionId: "ignored", ProposedTransaction: w.proposal(t, tc.chaincode, tc.channel, tc.transient), EndorsingOrganizations: tc.organizations,
			})
			if got := said(t, err); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if got := w.asked(); got != tc.asked {
				t.Errorf("%q are asked, want %q", got, tc.asked)
			}
			if err == nil {
				if got := w.signers(t, r.GetPreparedTransaction()); got != tc.signers {
					t.Errorf("endorsed by %q, want %q", got, tc.signers)
				}
			}
		})
	}
	if _, err := newWorld(t).gateway(t).Endorse(t.Context(), nil); said(t, err) != "InvalidArgument: an endorse request is required" {
		t.Error(err)
	}
}

// The transaction has the proposal's headers to the byte, its input without the transient data, what was endorsed to the byte, and no
// signature. Clients read channel and result from it, and sign its payload.
func TestPreparedTransaction(t *testing.T) {
	w := newWorld(t)
	w.policies["asset"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')")
	w.members["secrets"] = []string{"Org1MSP", "Org2MSP", "Org3MSP"}
	signed := w.proposal(t, "asset", "mychannel", map[string][]byte{"k": []byte("the secret")})
	r, err := w.gateway(t).Endorse(t.Context(), &pb.EndorseRequest{ProposedTransaction: signed})
	if err != nil {
		t.Fatal(err)
	}
	var (
		proposal pb.Proposal
		header   pb.Header
		input    pb.ChaincodeProposalPayload
	)
	for _, err := range []error{
		proto.Unmarshal(signed.GetProposalBytes(), &proposal), proto.Unmarshal(proposal.GetHeader(), &header), proto.Unmarshal(proposal.GetPayload(), &input),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	answer := func(address string) *pb.ProposalResponse {
		r, err := endorses("done")(t.Context(), w.endorsers[address])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := marshal(&pb.Payload{Header: &header, Data: marshal(&pb.Transaction{Actions: []*pb.TransactionAction{{
		Header: header.GetSignatureHeader(),
		Payload: marshal(&pb.ChaincodeActionPayload{
			ChaincodeProposalPayload: marshal(&pb.ChaincodeProposalPayload{Input: input.GetInput()}),
			Action: &pb.ChaincodeEndorsedAction{
				ProposalResponsePayload: answer("1b").GetPayload(),
				Endorsements:            []*pb.Endorsement{answer("1b").GetEndorsement(), answer("2a").GetEndorsement()},
			},
		}),
	}}})})
	if got := r.GetPreparedTransaction(); !bytes.Equal(got.GetPayload(), want) || got.GetSignature() != nil {
		t.Errorf("got\n%x, want\n%x", got.GetPayload(), want)
	}
}

// F180: a peer that hangs is left for another. Clients that don't wait any longer are told where it hangs. Nobody is waited for in vain, nor asked any more.
func TestEndorseInTime(t *testing.T) {
	for _, tc := range []struct {
		hang  []string
		after time.Duration // when the client goes; 0 is never
		want  string
		took  time.Duration
	}{
		{[]string{"1b"}, 0, "", 10 * time.Second},
		{[]string{"2a"}, 0, "", 10 * time.Second},
		{[]string{"1a", "1b"}, 0, "Aborted: failed to endorse transaction, see attached details for more info; 1b of Org1MSP: context deadline exceeded; 1a of Org1MSP: context deadline exceeded", 20 * time.Second},
		{[]string{"1b"}, time.Second, "DeadlineExceeded: endorsement timeout expired while collecting first endorsement", time.Second},
		{[]string{"2a"}, time.Second, "DeadlineExceeded: endorsement timeout expired while collecting endorsements", time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.policies["asset"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')")
			w.play(hangs, tc.hang...)
			ctx, start := t.Context(), time.Now()
			if tc.after > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.after)
				defer cancel()
			}
			_, err := w.gateway(t).Endorse(ctx, &pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
			if got := said(t, err); got != tc.want || time.Since(start) != tc.took {
				t.Errorf("%v hang: %s after %s, want %s", tc.hang, got, time.Since(start), tc.want)
			}
		})
	}
}

// Peers are asked at the same time, and the first one that answers decides nothing but what the others must say.
func TestEndorseInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policies["asset"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")
		slowly := func(d time.Duration) answer {
			return func(ctx context.Context, e *endorser) (*pb.ProposalResponse, error) {
				<-time.After(d)
				return endorses("done")(ctx, e)
			}
		}
		w.play(slowly(time.Second), "1b", "3a")
		w.play(slowly(2*time.Second), "2a")
		start := time.Now()
		r, err := w.gateway(t).Endorse(t.Context(), &pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
		if err != nil || time.Since(start) != 3*time.Second {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		if got := w.signers(t, r.GetPreparedTransaction()); got != "1b 2a 3a" {
			t.Error(got)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := newWorld(t).config
	for name, change := range map[string]func(*gateway.Config){
		"no organization":    func(c *gateway.Config) { c.MSPID = "" },
		"no channels":        func(c *gateway.Config) { c.Channel = nil },
		"no ACL":             func(c *gateway.Config) { c.ACL = nil },
		"a negative timeout": func(c *gateway.Config) { c.BroadcastTimeout = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := gateway.New(cfg); err == nil {
			t.Errorf("%s is fine", name)
		}
	}
}

// What is there when the client's time is up counts.
func TestEndorsedInTheLastMoment(t *testing.T) {
	w := newWorld(t)
	w.policies["asset"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')")
	ctx, cancel := context.WithCancel(t.Context())
	w.play(func(ctx context.Context, e *endorser) (*pb.ProposalResponse, error) {
		cancel()
		return endorses("done")(ctx, e)
	}, "2a")
	r, err := w.gateway(t).Endorse(ctx, &pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.signers(t, r.GetPreparedTransaction()); got != "1b 2a" {
		t.Error(got)
	}
}
