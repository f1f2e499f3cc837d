package ordering_test

import (
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// BenchmarkBroadcast measures what an envelope of 3 kB costs from Broadcast to its block. That is about what a transaction has
// with two endorsements.
func BenchmarkBroadcast(b *testing.B) {
	msp := newMSP(b, "Org1MSP")
	alice := member(b, msp, identity.Config{CommonName: "alice"})
	v, err := identity.NewVerifier(msp.Organization())
	if err != nil {
		b.Fatal(err)
	}
	envelope := &pb.Envelope{Payload: marshal(b, &pb.Payload{
		Header: &pb.Header{
			ChannelHeader:   marshal(b, &pb.ChannelHeader{Type: 3, ChannelId: "mychannel"}),
			SignatureHeader: marshal(b, &pb.SignatureHeader{Creator: alice.Creator(), Nonce: make([]byte, 24)}),
		},
		Data: make([]byte, 2000),
	})}
	if envelope.Signature, err = alice.Sign(envelope.GetPayload()); err != nil {
		b.Fatal(err)
	}
	sent := marshal(b, envelope)
	batches := ordering.Batch{Timeout: 100 * time.Millisecond, MaxMessageCount: 100}
	for name, c := range map[string]struct {
		cfg     ordering.Config
		channel ordering.Channel
	}{
		"at once":                  {},
		"batches":                  {channel: ordering.Channel{Batch: batches}},
		"batches, checked":         {channel: ordering.Channel{Batch: batches, Verifier: v}},
		"at once, checked, signed": {ordering.Config{Signer: alice}, ordering.Channel{Verifier: v}},
	} {
		b.Run(name, func(b *testing.B) {
			o := newOrderer(b, c.cfg, c.channel)
			blocks := deliver(b, o, 0)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := 0; n < b.N; {
					n += len(next(b, blocks).GetData().GetData())
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := o.Broadcast(b.Context(), sent); err != nil {
						b.Error(err)
					}
				}
			})
			<-done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "envelopes/s")
		})
	}
}
