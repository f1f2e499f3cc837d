//go:build linux

package benchpeer

import (
	"context"
	"flag"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/peer/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

var subscribers = flag.Int("subscribers", 10_000, "how many clients wait for events")

// tells is a chaincode that sets an event, and nothing else.
type tells struct{}

func (tells) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (tells) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	if err := stub.SetEvent("Told", []byte("payload")); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// BenchmarkSubscribers measures what subscribers cost a network: memory while they wait, and CPU when each gets an event.
func BenchmarkSubscribers(b *testing.B) {
	for _, kind := range []struct {
		name string
		open func(ctx context.Context, c *client, from uint64) (next func() error, err error)
	}{{"chaincode events", openEvents}, {"filtered blocks", openFiltered}} {
		for _, each := range []int{100, 1} { // subscribers a connection
			all := *subscribers
			if each == 1 {
				all /= 10 // each is a file of both processes
			}
			b.Run(fmt.Sprintf("%s, %d, %d a connection", kind.name, all, each), func(b *testing.B) {
				ours := startOurs(b, wanted{Limits: server.Limits{GatewayConcurrency: -1, DeliverConcurrency: -1}}, tells{})
				for range 100 {
					tell(b, ours.client)
				}
				from := tell(b, ours.client)
				before := ours.memory(b)
				nexts := make([]func() error, 0, all)
				for range all / each {
					c := connected(b, ours.path)
					for range each {
						next, err := kind.open(b.Context(), c, from)
						if err != nil {
							b.Fatal(err)
						}
						nexts = append(nexts, next)
					}
				}
				receive(b, nexts) // the block that is there: they are all subscribed
				waiting := ours.memory(b)
				used, _, err := ours.usage()
				if err != nil {
					b.Fatal(err)
				}
				tell(b, ours.client)
				receive(b, nexts)
				after, _, err := ours.usage()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(waiting-before)/1024/float64(all), "KiB/subscriber")
				b.ReportMetric(float64((after["network"]-used["network"]).Microseconds())/float64(all), "cpu-µs/event")
			})
		}
	}
}

func (n *measured) memory(b *testing.B) int {
	b.Helper()
	m, err := n.idle()
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// tell has an event set, and returns the number of its block.
func tell(b *testing.B, c *client) uint64 {
	b.Helper()
	tx, err := c.Submit(b.Context(), network.Either)
	if err != nil || tx.Code != pb.TxValidationCode_VALID {
		b.Fatalf("%+v, %v", tx, err)
	}
	return tx.Block
}

// receive has each subscriber get the next block.
func receive(b *testing.B, nexts []func() error) {
	b.Helper()
	var all sync.WaitGroup
	for _, next := range nexts {
		all.Go(func() {
			if err := next(); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// openEvents asks the Gateway for events.
func openEvents(ctx context.Context, c *client, from uint64) (next func() error, err error) {
	s, err := c.Events(ctx, network.Either, from, "")
	return func() error {
		_, err := s.Recv()
		return errors.WithStack(err)
	}, err
}

// openFiltered asks Deliver for filtered blocks.
func openFiltered(ctx context.Context, c *client, from uint64) (next func() error, err error) {
	envelope, err := c.seek(from)
	if err != nil {
		return nil, err
	}
	s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, c.Conn, pbgrpc.Deliver_DeliverFiltered_FullMethodName)
	if err == nil {
		err = s.Send(envelope)
	}
	return func() error {
		r, err := s.Recv()
		if err == nil && r.GetFilteredBlock() == nil {
			err = errors.Errorf("got %v", r)
		}
		return errors.WithStack(err)
	}, errors.WithStack(err)
}

// seek asks for the blocks from a number on.
func (c *client) seek(from uint64) (*pb.Envelope, error) {
	at := func(number uint64) *pb.SeekPosition {
		return &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: number}}}
	}
	var failed error
	marshal := func(m proto.Message) []byte {
		bytes, err := proto.Marshal(m)
		if err != nil {
			failed = errors.WithStack(err)
		}
		return bytes
	}
	payload := marshal(&pb.Payload{
		Header: &pb.Header{
			ChannelHeader:   marshal(&pb.ChannelHeader{Type: int32(pb.HeaderType_DELIVER_SEEK_INFO), ChannelId: c.ChannelID, Timestamp: timestamppb.Now()}),
			SignatureHeader: marshal(&pb.SignatureHeader{Creator: c.Signer.Creator(), Nonce: []byte("nonce")}),
		},
		Data: marshal(&pb.SeekInfo{Start: at(from), Stop: at(math.MaxUint64)}),
	})
	if failed != nil {
		return nil, failed
	}
	signature, err := c.Signer.Sign(payload)
	return &pb.Envelope{Payload: payload, Signature: signature}, err
}
