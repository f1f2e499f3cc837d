package peer_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// application is one that uses a Gateway, as the client libraries do.
type application struct {
	conn *grpc.ClientConn
	who  *identity.Identity
}

// serveGateway serves the Gateway of a peer for as long as the test lives.
func serveGateway(t testing.TB, n *peer.Network, name string) *grpc.ClientConn {
	t.Helper()
	g, err := peer.NewGateway(n, n.Peer(name), peer.GatewayConfig{Address: func(name string) string { return name + ":7051" }})
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pbgrpc.RegisterGatewayServer(server, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///gateway",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		g.Close()
	})
	return conn
}

// submitted is what became of a transaction.
type submitted struct {
	txID    string
	signers []string // the IDs of their MSPs
	code    pb.TxValidationCode
	block   uint64
}

func (a application) evaluate(ctx context.Context, t testing.TB, c peer.Call, organizations ...string) (*pb.Response, error) {
	p := propose(t, a.who, c)
	r, err := pbgrpc.Call[pb.EvaluateResponse](ctx, a.conn, pbgrpc.Gateway_Evaluate_FullMethodName, &pb.EvaluateRequest{
		TransactionId: p.TxID, ChannelId: "mychannel", ProposedTransaction: p.Signed, TargetOrganizations: organizations,
	})
	return r.GetResult(), err
}

// endorse returns a transaction that is signed.
func (a application) endorse(ctx context.Context, t testing.TB, c peer.Call, organizations ...string) (*pb.Envelope, string, error) {
	p := propose(t, a.who, c)
	r, err := pbgrpc.Call[pb.EndorseResponse](ctx, a.conn, pbgrpc.Gateway_Endorse_FullMethodName, &pb.EndorseRequest{
		TransactionId: p.TxID, ChannelId: "mychannel", ProposedTransaction: p.Signed, EndorsingOrganizations: organizations,
	})
	if err != nil {
		return nil, p.TxID, err
	}
	tx := r.GetPreparedTransaction()
	tx.Signature, err = a.who.Sign(tx.GetPayload())
	return tx, p.TxID, err
}

func (a application) order(ctx context.Context, tx *pb.Envelope) error {
	_, err := pbgrpc.Call[pb.SubmitResponse](ctx, a.conn, pbgrpc.Gateway_Submit_FullMethodName, &pb.SubmitRequest{ChannelId: "mychannel", PreparedTransaction: tx})
	return err
}

func (a application) status(ctx context.Context, t testing.TB, channelID, txID string) (*pb.CommitStatusResponse, error) {
	b := marshalled(t, &pb.CommitStatusRequest{ChannelId: channelID, TransactionId: txID, Identity: a.who.Creator()})
	signature, err := a.who.Sign(b)
	if err != nil {
		return nil, err
	}
	return pbgrpc.Call[pb.CommitStatusResponse](ctx, a.conn, pbgrpc.Gateway_CommitStatus_FullMethodName, &pb.SignedCommitStatusRequest{Request: b, Signature: signature})
}

// submit has a call endorsed and ordered, and waits for its status.
func (a application) submit(ctx context.Context, t testing.TB, c peer.Call, organizations ...string) (submitted, error) {
	tx, txID, err := a.endorse(ctx, t, c, organizations...)
	if err != nil {
		return submitted{}, err
	}
	if err := a.order(ctx, tx); err != nil {
		return submitted{}, err
	}
	b, err := proto.Marshal(tx)
	if err != nil {
		return submitted{}, err
	}
	parsed, err := block.ParseTransaction(b)
	if err != nil {
		return submitted{}, err
	}
	s := submitted{txID: txID}
	for _, e := range parsed.Endorsements {
		var id pb.SerializedIdentity
		if err := proto.Unmarshal(e.GetEndorser(), &id); err != nil {
			return submitted{}, err
		}
		s.signers = append(s.signers, id.GetMspid())
	}
	r, err := a.status(ctx, t, "mychannel", txID)
	s.code, s.block = r.GetResult(), r.GetBlockNumber()
	return s, err
}

// events asks for the events of asset from a block on.
func (a application) events(ctx context.Context, t testing.TB, start uint64, after string) grpc.BidiStreamingClient[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse] {
	t.Helper()
	b := marshalled(t, &pb.ChaincodeEventsRequest{
		ChannelId: "mychannel", ChaincodeId: "asset", Identity: a.who.Creator(), AfterTransactionId: after,
		StartPosition: &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: start}}},
	})
	signature, err := a.who.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pbgrpc.Open[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse](ctx, a.conn, pbgrpc.Gateway_ChaincodeEvents_FullMethodName)
	if err == nil {
		err = s.Send(&pb.SignedChaincodeEventsRequest{Request: b, Signature: signature})
	}
	if err == nil {
		err = s.CloseSend()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said is an error as an application sees it.
func said(t testing.TB, err error) string {
	t.Helper()
	s := status.Convert(err)
	text := s.Code().String() + ": " + s.Message()
	for _, a := range s.Proto().GetDetails() {
		var d pb.ErrorDetail
		if err := proto.Unmarshal(a.GetValue(), &d); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("; %s of %s: %s", d.GetAddress(), d.GetMspId(), d.GetMessage())
	}
	return text
}

// An application submits, is told what became of it, reads, and gets events, also again from where it was.
func TestGateway(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	ctx := t.Context()
	alice := application{serveGateway(t, n, "Org1MSP"), client(t, n, "alice@Org1MSP")}
	bob := application{serveGateway(t, n, "Org2MSP"), client(t, n, "bob@Org2MSP")}
	events := bob.events(ctx, t, 0, "")
	first, err := alice.submit(ctx, t, call("put", "k", "v1"))
	if err != nil || first.code != pb.TxValidationCode_VALID || strings.Join(first.signers, " ") != "Org1MSP Org2MSP" {
		t.Fatalf("%+v, %v", first, err)
	}
	if s, err := bob.status(ctx, t, "mychannel", first.txID); err != nil || s.GetBlockNumber() != first.block {
		t.Errorf("another peer says %v, %v", s, err)
	}
	second, err := bob.submit(ctx, t, call("put", "k", "v2"))
	if err != nil || strings.Join(second.signers, " ") != "Org2MSP Org1MSP" {
		t.Fatalf("%+v, %v", second, err)
	}
	if r, err := bob.evaluate(ctx, t, call("get", "k")); err != nil || string(r.GetPayload()) != "v2" {
		t.Errorf("%v, %v", r, err)
	}
	for _, want := range []submitted{first, second} {
		r, err := events.Recv()
		if err != nil || len(r.GetEvents()) != 1 || r.GetEvents()[0].GetTxId() != want.txID || r.GetBlockNumber() != want.block || string(r.GetEvents()[0].GetPayload()) != "k" {
			t.Errorf("%v, %v", r, err)
		}
	}
	if r, err := alice.events(ctx, t, first.block, first.txID).Recv(); err != nil || r.GetEvents()[0].GetTxId() != second.txID {
		t.Errorf("after a checkpoint: %v, %v", r, err)
	}
	// The peer's own chaincode is there, too. It can't be submitted.
	if r, err := alice.evaluate(ctx, t, calling("qscc", "GetChainInfo", "mychannel")); err != nil || len(r.GetPayload()) == 0 {
		t.Errorf("qscc: %v, %v", r, err)
	}
	_, _, err = alice.endorse(ctx, t, calling("qscc", "GetChainInfo", "mychannel"))
	if got := said(t, err); got != "FailedPrecondition: no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode qscc in channel mychannel" {
		t.Error(got)
	}
}

// Transactions that are in a block, and not valid, are told as such. Somebody's own organization decides who endorses.
func TestGatewayOutcomes(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{secrets}, Endorsement: "OR('Org1MSP.peer', 'Org3MSP.peer')"})
	ctx := t.Context()
	alice := application{serveGateway(t, n, "Org1MSP"), client(t, n, "alice@Org1MSP")}
	var txs []*pb.Envelope
	var ids []string
	for _, v := range []string{"v1", "v2"} {
		tx, txID, err := alice.endorse(ctx, t, call("put", "k", v))
		if err != nil {
			t.Fatal(err)
		}
		txs, ids = append(txs, tx), append(ids, txID)
	}
	for i, want := range []pb.TxValidationCode{pb.TxValidationCode_VALID, pb.TxValidationCode_MVCC_READ_CONFLICT} {
		if err := alice.order(ctx, txs[i]); err != nil {
			t.Fatal(err)
		}
		if s, err := alice.status(ctx, t, "mychannel", ids[i]); err != nil || s.GetResult() != want {
			t.Errorf("%v, %v", s, err)
		}
	}
	// A key that only Org2 and Org3 can change together.
	if s, err := alice.submit(ctx, t, call("policy", "k", "AND('Org2MSP.peer', 'Org3MSP.peer')")); err != nil || s.code != pb.TxValidationCode_VALID {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := alice.submit(ctx, t, call("put", "k", "v3")); err != nil || s.code != pb.TxValidationCode_VALID || strings.Join(slices.Sorted(slices.Values(s.signers)), " ") != "Org2MSP Org3MSP" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := alice.submit(ctx, t, call("put", "k", "v4"), "Org1MSP", "Org2MSP"); err != nil || s.code != pb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := alice.submit(ctx, t, secret("putPrivate", "hidden")); err != nil || s.code != pb.TxValidationCode_VALID || !slices.Equal(s.signers, []string{"Org1MSP"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if r, err := alice.evaluate(ctx, t, call("getPrivate", "secrets", "k")); err != nil || string(r.GetPayload()) != "hidden" {
		t.Errorf("%v, %v", r, err)
	}
}

// Errors come with the texts and details of Fabric's gateway. What a peer of another organization refuses looks as if over gRPC.
func TestGatewayRefuses(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	ctx, conn := t.Context(), serveGateway(t, n, "Org1MSP")
	alice := application{conn, client(t, n, "alice@Org1MSP")}
	mallory := application{conn, issue(t, newMSP(t, "Org3MSP"), "mallory", identity.Client)}
	const unknown = "access denied: channel [mychannel] creator org unknown, creator is malformed"
	const noReader = "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Readers]: " +
		"[implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Readers' sub-policies to be satisfied]"
	evaluate := func(a application, c peer.Call, organizations ...string) error {
		_, err := a.evaluate(ctx, t, c, organizations...)
		return err
	}
	endorse := func(a application, c peer.Call, organizations ...string) error {
		_, _, err := a.endorse(ctx, t, c, organizations...)
		return err
	}
	statusOf := func(a application, channelID string) error {
		_, err := a.status(ctx, t, channelID, "tx")
		return err
	}
	_, received := mallory.events(ctx, t, 0, "").Recv()
	for _, tc := range []struct {
		err  error
		want string
	}{
		{evaluate(alice, call("nothing")), "Unknown: evaluate call to endorser returned error: chaincode response 404, no function nothing; peer0.Org1MSP:7051 of Org1MSP: chaincode response 404, no function nothing"},
		{endorse(alice, call("nothing")), "Aborted: failed to endorse transaction, see attached details for more info; peer0.Org1MSP:7051 of Org1MSP: chaincode response 404, no function nothing"},
		{evaluate(alice, call("put", "", "")), "Unknown: evaluate call to endorser returned error: chaincode response 500, "},
		{endorse(alice, call("count", "k")), "Aborted: failed to collect enough transaction endorsements, see attached details for more info; peer0.Org2MSP:7051 of Org2MSP: ProposalResponsePayloads do not match"},
		{evaluate(alice, calling("other")), "FailedPrecondition: no peers available to evaluate chaincode other in channel mychannel"},
		{endorse(alice, calling("other")), "FailedPrecondition: no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode other in channel mychannel"},
		{endorse(alice, call("put", "k", "v"), "Org3MSP"), "Unavailable: failed to find any endorsing peers for org(s): Org3MSP"},
		{evaluate(mallory, call("get", "k")), "FailedPrecondition: evaluate call to endorser returned error: error validating proposal: " + unknown + "; peer0.Org1MSP:7051 of Org1MSP: error validating proposal: " + unknown},
		{evaluate(mallory, call("get", "k"), "Org2MSP"), "Unavailable: failed to evaluate transaction, see attached details for more info; peer0.Org2MSP:7051 of Org2MSP: rpc error: code = Unknown desc = error validating proposal: " + unknown},
		{statusOf(mallory, "mychannel"), "PermissionDenied: " + noReader},
		{received, "PermissionDenied: " + noReader},
		{statusOf(alice, "other"), "PermissionDenied: Failed to get policy manager for channel [other]"},
		{alice.order(ctx, &pb.Envelope{Payload: []byte("p"), Signature: []byte("s")}), "Aborted: received unsuccessful response from orderer: status=BAD_REQUEST, info="},
	} {
		if got := said(t, tc.err); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// Waiting for what never comes ends with the client's patience, and with the network. A network that has gone back serves on.
func TestGatewayEnds(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := application{serveGateway(t, n, "Org1MSP"), client(t, n, "alice@Org1MSP")}
	saved, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := alice.status(ctx, t, "mychannel", "never"); status.Convert(err).Code().String() != "DeadlineExceeded" {
		t.Error(err)
	}
	events := alice.events(t.Context(), t, 0, "")
	if s, err := alice.submit(t.Context(), t, call("put", "k", "v")); err != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := events.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := n.Restore(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	if _, err := events.Recv(); status.Convert(err).Code().String() != "Aborted" {
		t.Errorf("after going back: %v", err)
	}
	if s, err := alice.submit(t.Context(), t, call("put", "k", "v")); err != nil || s.code != pb.TxValidationCode_VALID {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := peer.NewGateway(n, n.Peers()[0], peer.GatewayConfig{BroadcastTimeout: -1}); err == nil {
		t.Error("a negative timeout is fine")
	}
}

// Many clients submit and wait, while others read events. Everybody gets everything.
func TestGatewayUnderLoad(t *testing.T) {
	const clients, rounds, readers = 100, 3, 5
	n := newNetwork(t, peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Batch: ordering.Batch{MaxMessageCount: 20, Timeout: 5 * time.Millisecond},
	})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	ctx := t.Context()
	alice := application{serveGateway(t, n, "Org1MSP"), client(t, n, "alice@Org1MSP")}
	other := application{serveGateway(t, n, "Org2MSP"), alice.who}
	var reading, submitting sync.WaitGroup
	for range readers {
		events := other.events(ctx, t, 0, "")
		reading.Go(func() {
			for seen := 0; seen < clients*rounds; {
				r, err := events.Recv()
				if err != nil {
					t.Errorf("after %d events: %v", seen, err)
					return
				}
				seen += len(r.GetEvents())
			}
		})
	}
	for c := range clients {
		submitting.Go(func() {
			for i := range rounds {
				s, err := alice.submit(ctx, t, call("put", fmt.Sprint("k", c, "-", i), "v"))
				if err == nil && s.code != pb.TxValidationCode_VALID {
					err = errors.Errorf("%+v", s)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	submitting.Wait()
	if !t.Failed() {
		reading.Wait()
	}
}

// An application reads by one peer.
func BenchmarkGatewayEvaluate(b *testing.B) {
	n := newNetwork(b, peer.NetworkConfig{})
	deploy(b, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := application{serveGateway(b, n, "Org1MSP"), client(b, n, "alice@Org1MSP")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := alice.evaluate(b.Context(), b, call("get", "k")); err != nil {
			b.Fatal(err)
		}
	}
}

// An application submits, with the endorsements of two organizations and a block for each transaction, and waits.
func BenchmarkGatewaySubmit(b *testing.B) {
	n := newNetwork(b, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	deploy(b, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := application{serveGateway(b, n, "Org1MSP"), client(b, n, "alice@Org1MSP")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if s, err := alice.submit(b.Context(), b, call("put", fmt.Sprint(i), "v")); err != nil || s.code != pb.TxValidationCode_VALID {
			b.Fatalf("%+v, %v", s, err)
		}
	}
}
