package peer_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// serveBlocks serves what a peer and the orderer have for clients, and returns a connection to it.
func serveBlocks(t testing.TB, n *peer.Network, p *peer.Peer) *grpc.ClientConn {
	t.Helper()
	blocks, err := p.Deliver(peer.DeliverConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return serveServer(t, p, n, blocks)
}

func serveServer(t testing.TB, p *peer.Peer, n *peer.Network, blocks *deliver.Server) *grpc.ClientConn {
	t.Helper()
	return serveWith(t, p, n, blocks, insecure.NewCredentials(), insecure.NewCredentials())
}

func serveWith(t testing.TB, p *peer.Peer, n *peer.Network, blocks *deliver.Server, ours, theirs credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	orderer, err := p.AtomicBroadcast(n.Orderer(), blocks)
	if err != nil {
		t.Fatal(err)
	}
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.Creds(ours), deliver.ServerOption())
	pbgrpc.RegisterDeliverServer(server, blocks)
	pbgrpc.RegisterAtomicBroadcastServer(server, orderer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with Stop
	}()
	cc, err := grpc.NewClient("passthrough:localhost", grpc.WithTransportCredentials(theirs),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cc.Close()
		server.Stop()
		<-done
	})
	return cc
}

// seek is an envelope that asks for blocks.
func seek(t testing.TB, who identity.Signer, channel string, start, stop uint64) *pb.Envelope {
	t.Helper()
	at := func(n uint64) *pb.SeekPosition {
		return &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: n}}}
	}
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	e := &pb.Envelope{Payload: marshal(&pb.Payload{
		Header: &pb.Header{
			ChannelHeader:   marshal(&pb.ChannelHeader{Type: int32(pb.HeaderType_DELIVER_SEEK_INFO), ChannelId: channel, Timestamp: timestamppb.Now()}),
			SignatureHeader: marshal(&pb.SignatureHeader{Creator: who.Creator()}),
		},
		Data: marshal(&pb.SeekInfo{Start: at(start), Stop: at(stop)}),
	})}
	var err error
	if e.Signature, err = who.Sign(e.Payload); err != nil {
		t.Fatal(err)
	}
	return e
}

// subscribe opens a stream of blocks, and ends its own half, as the command line of Fabric does.
func subscribe(t testing.TB, cc *grpc.ClientConn, method string, e *pb.Envelope) grpc.BidiStreamingClient[pb.Envelope, pb.DeliverResponse] {
	t.Helper()
	s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), cc, method)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.Send(e), s.CloseSend()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestDeliver is what a client does that has only Broadcast and Deliver.
func TestDeliver(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice, bob := client(t, n, "alice@Org1MSP"), client(t, n, "bob@Org2MSP")
	p := n.Peer("Org2MSP")
	cc := serveBlocks(t, n, p)
	height, err := p.Channel("mychannel").Ledger().Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []grpc.BidiStreamingClient[pb.Envelope, pb.DeliverResponse]
	for _, method := range []string{pbgrpc.Deliver_Deliver_FullMethodName, pbgrpc.Deliver_DeliverFiltered_FullMethodName, pbgrpc.AtomicBroadcast_Deliver_FullMethodName} {
		all = append(all, subscribe(t, cc, method, seek(t, bob, "mychannel", height, height)))
	}
	endorsed, err := n.Endorse(t.Context(), alice, call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	var envelope pb.Envelope
	if err := proto.Unmarshal(endorsed.Envelope, &envelope); err != nil {
		t.Fatal(err)
	}
	orderer, err := pbgrpc.Open[pb.Envelope, pb.BroadcastResponse](t.Context(), cc, pbgrpc.AtomicBroadcast_Broadcast_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := orderer.Send(&envelope); err != nil {
		t.Fatal(err)
	}
	if got, err := orderer.Recv(); err != nil || got.GetStatus() != pb.Status_SUCCESS {
		t.Fatal(got, err)
	}
	for _, s := range all {
		r, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if f := r.GetFilteredBlock(); f == nil {
			want, err := p.Channel("mychannel").Ledger().Block(t.Context(), height)
			if err != nil || !proto.Equal(r.GetBlock(), want.Message()) {
				t.Errorf("got %v, want %v, %v", r, want, err)
			}
		} else if tx := f.GetFilteredTransactions()[0]; tx.GetTxid() != endorsed.TxID || tx.GetTxValidationCode() != pb.TxValidationCode_VALID || f.GetChannelId() != "mychannel" {
			t.Errorf("got %v", f)
		}
		if r, err := s.Recv(); err != nil || r.GetStatus() != pb.Status_SUCCESS {
			t.Error(r, err)
		}
		if _, err := s.Recv(); err != io.EOF {
			t.Error(err)
		}
	}

	stranger := issue(t, newMSP(t, "Org1MSP"), "alice", identity.Client)
	for name, tc := range map[string]struct {
		e    *pb.Envelope
		want pb.Status
	}{
		"a stranger":      {seek(t, stranger, "mychannel", 0, 9), pb.Status_FORBIDDEN},
		"another channel": {seek(t, alice, "other", 0, 9), pb.Status_NOT_FOUND},
	} {
		if r, err := subscribe(t, cc, pbgrpc.Deliver_Deliver_FullMethodName, tc.e).Recv(); err != nil || r.GetStatus() != tc.want {
			t.Errorf("%s gets %v, %v", name, r, err)
		}
	}
}

// F194: TestDeliverAfterRestore delivers what is there then. Those who waited for blocks of the time before are told.
func TestDeliverAfterRestore(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice, p := client(t, n, "alice"), n.Peers()[0]
	cc := serveBlocks(t, n, p)
	saved, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	height, err := p.Channel("mychannel").Ledger().Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 2 {
		s := subscribe(t, cc, pbgrpc.Deliver_DeliverFiltered_FullMethodName, seek(t, alice, "mychannel", height, math.MaxUint64))
		if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err != nil {
			t.Fatal(err)
		}
		r, err := s.Recv()
		if err != nil || r.GetFilteredBlock().GetNumber() != height {
			t.Fatal(r, err)
		}
		ids = append(ids, r.GetFilteredBlock().GetFilteredTransactions()[0].GetTxid())
		if err := n.Restore(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Recv(); err != nil || r.GetStatus() != pb.Status_SERVICE_UNAVAILABLE {
			t.Errorf("got %v, %v", r, err)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 2 {
		t.Errorf("blocks with %v, want others after Restore", ids)
	}
}

// TestDeliverPrivateData has clients of two organizations read the blocks of a peer that is a member of some collections.
func TestDeliverPrivateData(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Endorsement: "ANY Endorsement", Collections: []ledger.CollectionConfig{
		{Name: "members", Policy: "OR('Org1MSP.member')", MemberOnlyRead: true},
		{Name: "open", Policy: "OR('Org1MSP.member')"},
		{Name: "theirs", Policy: "OR('Org2MSP.member')", MemberOnlyRead: true},
	}})
	alice, bob := client(t, n, "alice@Org1MSP"), client(t, n, "bob@Org2MSP")
	ours, theirs := n.Peer("Org1MSP"), n.Peer("Org2MSP")
	var first, last uint64
	for i, coll := range []string{"members", "open", "theirs", "_implicit_org_Org1MSP"} {
		who := alice
		if coll == "theirs" {
			who = bob
		}
		c := call("putPrivate", coll, "k")
		c.Transient = map[string][]byte{"value": []byte("secret of " + coll)}
		committed, err := n.Submit(t.Context(), who, c)
		if err != nil {
			t.Fatal(err)
		}
		if last = committed.Outcome.Block; i == 0 {
			first = last
		}
	}
	for _, tc := range []struct {
		at   *peer.Peer
		who  identity.Signer
		want []string
	}{
		{ours, alice, []string{"members", "open", "_implicit_org_Org1MSP"}},
		{ours, bob, []string{"open", "_implicit_org_Org1MSP"}},
		{theirs, bob, []string{"theirs"}},
		{theirs, alice, nil},
	} {
		cc := serveBlocks(t, n, tc.at)
		s := subscribe(t, cc, pbgrpc.Deliver_DeliverWithPrivateData_FullMethodName, seek(t, tc.who, "mychannel", first, last))
		var got []string
		for {
			r, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if r.GetBlockAndPrivateData() == nil {
				break
			}
			for _, set := range r.GetBlockAndPrivateData().GetPrivateDataMap() {
				for _, coll := range set.GetNsPvtRwset()[0].GetCollectionPvtRwset() {
					var kv pb.KVRWSet
					if err := proto.Unmarshal(coll.GetRwset(), &kv); err != nil {
						t.Fatal(err)
					}
					if v := string(kv.GetWrites()[0].GetValue()); v != "secret of "+coll.GetCollectionName() {
						t.Errorf("%s has %q", coll.GetCollectionName(), v)
					}
					got = append(got, coll.GetCollectionName())
				}
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s gives %v, want %v", tc.at.Name(), got, tc.want)
		}
	}
}

// TestDeliverAsksAgain asks the ACL again after the channel's configuration has changed.
func TestDeliverAsksAgain(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice, p := client(t, n, "alice"), n.Peers()[0]
	var asked atomic.Int32
	blocks, err := p.Deliver(peer.DeliverConfig{ACL: acl.CheckerFunc(func(context.Context, acl.Request) error {
		asked.Add(1)
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	s := subscribe(t, serveServer(t, p, n, blocks), pbgrpc.Deliver_Deliver_FullMethodName, seek(t, alice, "mychannel", 0, math.MaxUint64))
	read := func() {
		height, err := p.Channel("mychannel").Ledger().Height(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for {
			r, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if r.GetBlock().GetHeader().GetNumber()+1 == height {
				return
			}
		}
	}
	submit := func() {
		if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	submit()
	read()
	if got := asked.Load(); got != 1 {
		t.Errorf("the ACL was asked %d times", got)
	}
	if err := n.SetAddresses(t.Context(), []string{"orderer.example.com:7050"}, nil); err != nil {
		t.Fatal(err)
	}
	submit()
	read()
	if got := asked.Load(); got != 2 {
		t.Errorf("after the configuration was changed, the ACL was asked %d times, want twice", got)
	}
}

// TestDeliverMutualTLS has a client show a certificate, and say which one in its envelope.
func TestDeliverMutualTLS(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	alice, p := client(t, n, "alice"), n.Peers()[0]
	own, err := n.ServerCertificate(p.Name(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := n.ClientCertificate("alice")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(n.TLSRoot("Org1MSP"))
	blocks, err := p.Deliver(peer.DeliverConfig{MutualTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	cc := serveWith(t, p, n, blocks,
		credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}),
		credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{shown}, RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}))
	hash := sha256.Sum256(shown.Certificate[0])
	for name, tc := range map[string]struct {
		hash []byte
		want pb.Status
	}{
		"its hash":     {hash[:], pb.Status_SUCCESS},
		"another hash": {make([]byte, 32), pb.Status_BAD_REQUEST},
		"no hash":      {nil, pb.Status_BAD_REQUEST},
	} {
		for _, method := range []string{pbgrpc.Deliver_DeliverFiltered_FullMethodName, pbgrpc.AtomicBroadcast_Deliver_FullMethodName} {
			s := subscribe(t, cc, method, bound(t, seek(t, alice, "mychannel", 0, 0), tc.hash, alice))
			r, err := s.Recv()
			if tc.want == pb.Status_SUCCESS && err == nil && r.GetStatus() == pb.Status_UNKNOWN { // a block
				r, err = s.Recv()
			}
			if err != nil || r.GetStatus() != tc.want {
				t.Errorf("%s: got %v, %v", name, r, err)
			}
		}
	}
}

// bound is an envelope with the hash of a TLS certificate.
func bound(t testing.TB, e *pb.Envelope, hash []byte, who identity.Signer) *pb.Envelope {
	t.Helper()
	var (
		payload pb.Payload
		header  pb.ChannelHeader
	)
	if err := proto.Unmarshal(e.GetPayload(), &payload); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header); err != nil {
		t.Fatal(err)
	}
	header.TlsCertHash = hash
	var err error
	if payload.Header.ChannelHeader, err = proto.Marshal(&header); err != nil {
		t.Fatal(err)
	}
	if e.Payload, err = proto.Marshal(&payload); err != nil {
		t.Fatal(err)
	}
	if e.Signature, err = who.Sign(e.Payload); err != nil {
		t.Fatal(err)
	}
	return e
}

// slowStream is a client that takes one block after the other, when it is told to.
type slowStream struct {
	grpc.ServerStream
	ctx       context.Context //nolint:containedctx // a stream has one
	envelopes chan *pb.Envelope
	sent      chan *pb.DeliverResponse
	goOn      chan struct{}
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) Recv() (*pb.Envelope, error) {
	e, ok := <-s.envelopes
	if !ok {
		return nil, io.EOF
	}
	return e, nil
}

func (s *slowStream) Send(m *pb.DeliverResponse) error {
	s.sent <- proto.CloneOf(m)
	<-s.goOn
	return nil
}

// F236: a network is restored while a slow client reads. The client doesn't get blocks of what comes after that on top of those of before.
func TestDeliverRestored(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	saved, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	submit := func(value string) {
		for range 3 {
			submitWith(t, n, call("put", "k", value))
		}
	}
	submit("before")
	blocks, err := n.Peers()[0].Deliver(peer.DeliverConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &slowStream{ctx: ctx, envelopes: make(chan *pb.Envelope, 1), sent: make(chan *pb.DeliverResponse), goOn: make(chan struct{})}
	s.envelopes <- seek(t, client(t, n, "alice"), "mychannel", 1, math.MaxUint64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = blocks.DeliverFiltered(s) // it ends in the one way or the other
	}()
	<-s.sent // block 1
	if err := n.Restore(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	submit("after")
	s.goOn <- struct{}{}
	m := <-s.sent
	s.goOn <- struct{}{}
	var is pb.DeliverResponse
	b, err := proto.Marshal(m)
	if err != nil || proto.Unmarshal(b, &is) != nil || is.GetStatus() != pb.Status_SERVICE_UNAVAILABLE {
		t.Errorf("%v, %v", &is, err)
	}
	for cancel(); ; s.goOn <- struct{}{} {
		select {
		case <-s.sent:
		case <-done:
			return
		}
	}
}
