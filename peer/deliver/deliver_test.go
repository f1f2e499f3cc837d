package deliver_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// TestStatuses asks for each status, in the order in which Fabric checks.
func TestStatuses(t *testing.T) {
	forEver := &pb.SeekInfo{Start: oldest, Stop: newest}
	good := request{channel: "mychannel", at: timestamppb.Now(), creator: []byte("alice"), seek: forEver}
	with := func(change func(*request)) *pb.Envelope {
		r := good
		change(&r)
		return r.envelope(t)
	}
	payload := func(p *pb.Payload) *pb.Envelope { return &pb.Envelope{Payload: marshal(t, p)} }
	channelHeader := marshal(t, &pb.ChannelHeader{ChannelId: "mychannel", Timestamp: timestamppb.Now()})
	closed := make(chan struct{})
	close(closed)
	for name, tc := range map[string]struct {
		envelope *pb.Envelope
		setup    func(*fixture)
		want     pb.Status
	}{
		"empty envelope":       {&pb.Envelope{}, nil, pb.Status_BAD_REQUEST},
		"no payload":           {&pb.Envelope{Payload: []byte{0xff}}, nil, pb.Status_BAD_REQUEST},
		"no header":            {payload(&pb.Payload{}), nil, pb.Status_BAD_REQUEST},
		"no channel header":    {payload(&pb.Payload{Header: &pb.Header{}}), nil, pb.Status_BAD_REQUEST},
		"bad channel header":   {payload(&pb.Payload{Header: &pb.Header{ChannelHeader: []byte{0xff}}}), nil, pb.Status_BAD_REQUEST},
		"bad signature header": {payload(&pb.Payload{Header: &pb.Header{ChannelHeader: channelHeader, SignatureHeader: []byte{0xff}}}), nil, pb.Status_BAD_REQUEST},
		"no timestamp":         {with(func(r *request) { r.at = nil }), nil, pb.Status_BAD_REQUEST},
		"too old":              {with(func(r *request) { r.at = timestamppb.New(time.Now().Add(-16 * time.Minute)) }), nil, pb.Status_BAD_REQUEST},
		"too new":              {with(func(r *request) { r.at = timestamppb.New(time.Now().Add(16 * time.Minute)) }), nil, pb.Status_BAD_REQUEST},
		"far from any time":    {with(func(r *request) { r.at = &timestamppb.Timestamp{Seconds: math.MinInt64, Nanos: -1} }), nil, pb.Status_BAD_REQUEST},
		"14 minutes ago":       {with(func(r *request) { r.at = timestamppb.New(time.Now().Add(-14 * time.Minute)) }), nil, pb.Status_SUCCESS},
		"too large":            {with(func(r *request) { r.nonce = make([]byte, 256<<10) }), nil, pb.Status_BAD_REQUEST},
		"unknown channel":      {with(func(r *request) { r.channel = "other" }), nil, pb.Status_NOT_FOUND},
		"no channel":           {with(func(r *request) { r.channel = "" }), nil, pb.Status_NOT_FOUND},
		"channel before seek":  {with(func(r *request) { r.channel, r.seek, r.seekData = "other", nil, []byte{0xff} }), nil, pb.Status_NOT_FOUND},
		"bad seek":             {with(func(r *request) { r.seek, r.seekData = nil, []byte{0xff} }), nil, pb.Status_BAD_REQUEST},
		"source fails":         {good.envelope(t), func(f *fixture) { f.channel.Errored = func() <-chan struct{} { return closed } }, pb.Status_SERVICE_UNAVAILABLE},
		"source fails, best effort": {
			with(func(r *request) {
				r.seek = &pb.SeekInfo{Start: oldest, Stop: oldest, ErrorResponse: pb.SeekInfo_BEST_EFFORT}
			}),
			func(f *fixture) { f.channel.Errored = func() <-chan struct{} { return closed } }, pb.Status_SUCCESS,
		},
		"refused":                {good.envelope(t), refuse, pb.Status_FORBIDDEN},
		"refused before missing": {with(func(r *request) { r.seek = &pb.SeekInfo{} }), refuse, pb.Status_FORBIDDEN},
		"no start":               {with(func(r *request) { r.seek = &pb.SeekInfo{Stop: newest} }), nil, pb.Status_BAD_REQUEST},
		"no stop":                {with(func(r *request) { r.seek = &pb.SeekInfo{Start: newest} }), nil, pb.Status_BAD_REQUEST},
		"ledger fails":           {good.envelope(t), func(f *fixture) { f.chain.fail(errors.New("disk")) }, pb.Status_SERVICE_UNAVAILABLE},
		"no nonce":               {good.envelope(t), nil, pb.Status_SUCCESS},
		"a hash without TLS":     {with(func(r *request) { r.tlsHash = make([]byte, 32) }), nil, pb.Status_SUCCESS},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 3)
			if tc.setup != nil {
				tc.setup(f)
			}
			for _, m := range []method{f.Deliver, f.DeliverFiltered, f.DeliverWithPrivateData} {
				all, err := ask(t, m, tc.envelope, tc.envelope) // what comes after a refusal is not looked at
				if err != nil {
					t.Fatal(err)
				}
				ns := numbers(all)
				if tc.want == pb.Status_SUCCESS {
					if half := len(ns) / 2; half < 2 || ns[half-1] != -200 || !slices.Equal(ns[:half], ns[half:]) {
						t.Errorf("got %v, want blocks and SUCCESS, twice", ns)
					}
				} else if !slices.Equal(ns, []int{-int(tc.want)}) {
					t.Errorf("got %v, want %s", ns, tc.want)
				}
			}
		})
	}
}

func refuse(f *fixture) {
	f.acl = func(acl.Request) error { return errors.New("implicit policy evaluation failed") }
}

// TestFollows sends blocks as they are committed, and several seeks on one stream.
func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		p := newPlayed(t.Context())
		end := make(chan error, 1)
		go func() { end <- f.Deliver(p) }()
		p.in <- seek(t, &pb.SeekInfo{Start: newest, Stop: at(2)})
		var all []*pb.DeliverResponse
		all = append(all, <-p.out)
		for range 2 {
			synctest.Wait()
			f.chain.add(t)
			all = append(all, <-p.out)
		}
		all = append(all, <-p.out)
		p.in <- seek(t, &pb.SeekInfo{Start: at(1), Stop: at(1)})
		all = append(all, <-p.out, <-p.out)
		p.in <- seek(t, &pb.SeekInfo{Start: at(7), Stop: at(7)})
		all = append(all, <-p.out)
		if got, want := numbers(all), []int{0, 1, 2, -200, 1, -200, -404}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}
	})
}

// F195: TestLeaveEnds asks the ACL again when the configuration changes, and nobody when the client's certificate has ended.
func TestLeaveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sequence := uint64(3)
		f := newFixture(t, 2, func(_ *deliver.Config, f *fixture) { f.channel.Sequence = func() uint64 { return sequence } })
		msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
		if err != nil {
			t.Fatal(err)
		}
		alice, err := msp.Issue(identity.Config{CommonName: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		r := request{channel: "mychannel", at: timestamppb.Now(), creator: alice.Creator(), seek: &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64)}}
		envelope := r.envelope(t)
		open := func() (*played, chan error) {
			p, end := newPlayed(t.Context()), make(chan error, 1)
			go func() { end <- f.Deliver(p) }()
			p.in <- envelope
			<-p.out
			<-p.out
			synctest.Wait()
			return p, end
		}
		p, end := open()
		if len(f.asked) != 1 {
			t.Fatalf("the ACL was asked %d times, want once", len(f.asked))
		}
		want := acl.Request{Resource: "event/Block", ChannelID: "mychannel", Data: envelope.GetPayload(), Identity: alice.Creator(), Signature: envelope.GetSignature()}
		if got := f.asked[0]; got.Resource != want.Resource || got.ChannelID != want.ChannelID || !slices.Equal(got.Data, want.Data) ||
			!slices.Equal(got.Identity, want.Identity) || !slices.Equal(got.Signature, want.Signature) {
			t.Errorf("the ACL was asked %+v, want %+v", got, want)
		}
		sequence = 4
		f.chain.add(t)
		<-p.out
		f.chain.add(t)
		<-p.out
		if len(f.asked) != 2 {
			t.Fatalf("the ACL was asked %d times, want twice", len(f.asked))
		}
		refuse(f)
		sequence = 5
		f.chain.add(t)
		if s := (<-p.out).GetStatus(); s != pb.Status_FORBIDDEN {
			t.Errorf("got %s", s)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}

		f.acl = nil
		p, end = open()
		for range 3 { // that were committed above
			<-p.out
		}
		time.Sleep(time.Until(alice.Certificate().NotAfter) + time.Nanosecond) //nolint:forbidigo // the clock is synctest's
		f.chain.add(t)
		if s := (<-p.out).GetStatus(); s != pb.Status_FORBIDDEN {
			t.Errorf("got %s", s)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}
	})
}

// TestSourceFails ends a stream that waits when the source of the blocks fails.
func TestSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errored := make(chan struct{})
		f := newFixture(t, 1)
		f.channel.Errored = func() <-chan struct{} { return errored }
		p := newPlayed(t.Context())
		end := make(chan error, 1)
		go func() { end <- f.Deliver(p) }()
		p.in <- seek(t, &pb.SeekInfo{Start: newest, Stop: at(5)})
		<-p.out
		synctest.Wait()
		close(errored)
		if s := (<-p.out).GetStatus(); s != pb.Status_SERVICE_UNAVAILABLE {
			t.Errorf("got %s", s)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}
	})
}

// F192: TestTurn has one subscriber at a time wait at the ledger, and another one take over when that one goes.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 0)
		const n = 10
		var (
			all     [n]*played
			cancels [n]context.CancelFunc
		)
		ends := make(chan error, n)
		for i := range n {
			ctx, cancel := context.WithCancel(t.Context())
			all[i], cancels[i] = newPlayed(ctx), cancel
			go func() { ends <- f.Deliver(all[i]) }()
			all[i].in <- seek(t, &pb.SeekInfo{Start: oldest, Stop: oldest})
			synctest.Wait()
		}
		for i := range n - 2 { // the one that waits at the ledger is the first one, and then any
			cancels[i]()
			if err := <-ends; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			synctest.Wait()
		}
		f.chain.add(t)
		for i := n - 2; i < n; i++ {
			close(all[i].in)
			if got := numbers([]*pb.DeliverResponse{<-all[i].out, <-all[i].out}); !slices.Equal(got, []int{0, -200}) {
				t.Errorf("got %v", got)
			}
			if err := <-ends; err != nil {
				t.Error(err)
			}
			cancels[i]()
		}
		if f.chain.reads != 1 {
			t.Errorf("the block was read %d times", f.chain.reads)
		}
	})
}

// F194: TestLedgerFailsOnce has subscribers try again after an error.
func TestLedgerFailsOnce(t *testing.T) {
	f := newFixture(t, 1)
	f.chain.fail(errors.New("disk"))
	s := seek(t, &pb.SeekInfo{Start: oldest, Stop: oldest})
	if all, err := ask(t, f.Deliver, s); err != nil || all[0].GetStatus() != pb.Status_SERVICE_UNAVAILABLE {
		t.Fatal(all, err)
	}
	f.chain.fail(nil)
	if all, err := ask(t, f.Deliver, s); err != nil || !slices.Equal(numbers(all), []int{0, -200}) {
		t.Fatal(all, err)
	}
}

// TestContentType leaves out data, unless it is a configuration.
func TestContentType(t *testing.T) {
	f := newFixture(t, 0)
	f.chain.add(t, transaction(t, pb.HeaderType_CONFIG, []byte("config")))
	f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, []byte("data")))
	for content, data := range map[pb.SeekInfo_SeekContentType][2]int{0: {1, 1}, pb.SeekInfo_HEADER_WITH_SIG: {1, 0}, 7: {1, 1}} {
		s := seek(t, &pb.SeekInfo{Start: oldest, Stop: newest, ContentType: content})
		for _, m := range []method{f.Deliver, f.DeliverWithPrivateData} {
			all, err := ask(t, m, s)
			if err != nil || !slices.Equal(numbers(all), []int{0, 1, -200}) {
				t.Fatal(all, err)
			}
			for i := range 2 {
				b := all[i].GetBlock()
				if b == nil {
					b = all[i].GetBlockAndPrivateData().GetBlock()
				}
				want := f.chain.blocks[i]
				if !proto.Equal(b.GetHeader(), want.GetHeader()) || !proto.Equal(b.GetMetadata(), want.GetMetadata()) || len(b.GetData().GetData()) != data[i] {
					t.Errorf("%s: got %v, want %d envelopes of %v", content, b, data[i], want)
				}
			}
		}
		if all, err := ask(t, f.DeliverFiltered, s); err != nil || len(all[1].GetFilteredBlock().GetFilteredTransactions()) != 1 {
			t.Error(all, err)
		}
	}
}

// TestBinding compares the hash in an envelope with the client's certificate, if clients show some.
func TestBinding(t *testing.T) {
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := msp.Issue(identity.Config{CommonName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	shown := peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{alice.Certificate()}}}})
	notShown := peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{}})
	own := sha256.Sum256(alice.Certificate().Raw)
	other := sha256.Sum256(nil)
	f := newFixture(t, 1, func(cfg *deliver.Config, _ *fixture) { cfg.MutualTLS = true })
	for name, tc := range map[string]struct {
		ctx  context.Context //nolint:containedctx // it says who the client is
		hash []byte
		want pb.Status
	}{
		"own":                    {shown, own[:], pb.Status_UNKNOWN}, // a block
		"none":                   {shown, nil, pb.Status_BAD_REQUEST},
		"another":                {shown, other[:], pb.Status_BAD_REQUEST},
		"longer":                 {shown, append(slices.Clone(own[:]), 0), pb.Status_BAD_REQUEST},
		"no certificate":         {notShown, own[:], pb.Status_BAD_REQUEST},
		"no TLS":                 {t.Context(), own[:], pb.Status_BAD_REQUEST},
		"no TLS, nothing's hash": {t.Context(), other[:], pb.Status_BAD_REQUEST},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(tc.ctx)
			p := newPlayed(ctx)
			end := make(chan error, 1)
			go func() { end <- f.Deliver(p) }()
			p.in <- request{channel: "mychannel", at: timestamppb.Now(), tlsHash: tc.hash, seek: &pb.SeekInfo{Start: oldest, Stop: oldest}}.envelope(t)
			if got := <-p.out; got.GetStatus() != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
			cancel()
			if err := <-end; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// TestGRPC goes over real streams: half-close, cancellation, the orderer's service, with and without the server's option.
func TestGRPC(t *testing.T) {
	for name, opts := range map[string][]grpc.ServerOption{"plain": nil, "shared": {deliver.ServerOption()}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 3)
			cc := serve(t, f.Server, opts...)
			s := seek(t, &pb.SeekInfo{Start: oldest, Stop: at(3)})

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			peers, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, cc, pbgrpc.Deliver_Deliver_FullMethodName)
			if err != nil {
				t.Fatal(err)
			}
			orderers, err := pbgrpc.Open[pb.Envelope, pb.OrdererDeliverResponse](ctx, cc, pbgrpc.AtomicBroadcast_Deliver_FullMethodName)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.WithMessage(peers.Send(s), "send"); err != nil {
				t.Fatal(err)
			}
			if err := peers.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if err := orderers.Send(s); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if i == 3 {
					f.chain.add(t) // long after the client has ended its half
				}
				p, err := peers.Recv()
				if err != nil {
					t.Fatal(err)
				}
				o, err := orderers.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if want := f.chain.blocks[i]; !proto.Equal(p.GetBlock(), want) || !proto.Equal(o.GetBlock(), want) {
					t.Errorf("got %v and %v, want %v", p, o, want)
				}
			}
			if p, err := peers.Recv(); err != nil || p.GetStatus() != pb.Status_SUCCESS {
				t.Error(p, err)
			}
			if _, err := peers.Recv(); err == nil || err.Error() != "EOF" {
				t.Errorf("the stream ends with %v, want EOF", err)
			}
			if o, err := orderers.Recv(); err != nil || o.GetStatus() != pb.Status_SUCCESS {
				t.Error(o, err)
			}
			cancel()
			if _, err := orderers.Recv(); status.Code(err) != codes.Canceled {
				t.Error(err)
			}
		})
	}
}
