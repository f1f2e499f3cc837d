package handler

import (
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/limit"
)

// Limits are what is granted to one chaincode and its stream. 0 means the default that the field's comment names. A value
// below 0 is an error, except where the comment gives it a meaning. Where Fabric has the same setting, its name stands in
// brackets.
type Limits struct {
	// ExecuteTimeout limits every Init and Invoke, including what hooks are asked before it. 0: 30 s, as in Fabric
	// (chaincode.executetimeout).
	ExecuteTimeout time.Duration
	// RegisterTimeout is how long a stream may take to register. 0: 10 s.
	RegisterTimeout time.Duration
	// Keepalive is the interval at which KEEPALIVE messages are sent while the stream is ready (chaincode.keepalive). 0:
	// none are sent. Node shims exit when they get one. A chaincode that leaves three in a row unanswered loses its stream.
	Keepalive time.Duration
	// SendTimeout is how long a message may take to be written to the stream. Once the transport's buffers are full, that is
	// how long chaincode may leave its messages unread. A message that takes longer ends the stream. 0: 30 s.
	SendTimeout time.Duration

	// MaxInFlight is how many transactions may be in flight on one chaincode. Nested ones count, and so does what is left of
	// those that were given up. Execute refuses more with an *OverloadError. 0: 2,500, as in Fabric
	// (peer.limits.concurrency.endorserService).
	MaxInFlight int
	// MaxCallDepth is how many levels deep chaincode may call chaincode. 0: 64.
	MaxCallDepth int
	// MaxQueries is how many iterators a transaction may have open. 0: 256.
	MaxQueries int
	// TotalQueryLimit is how many records one query may yield. Further records are cut off. 0: 100,000, as in Fabric
	// (ledger.state.totalQueryLimit).
	TotalQueryLimit int
	// MaxPageBytes is how many bytes of results a page of a query may have, if the chaincode doesn't paginate the query
	// itself. The page ends before the result that would exceed the limit, but has at least one result. 0: 4 MiB.
	MaxPageBytes int
	// MaxEventBytes is how many bytes the name and the payload of a chaincode's event may have together. A transaction whose
	// event has more fails. 0: 4 MiB.
	MaxEventBytes int
	// MaxSendMsgSize is how many bytes a message to the chaincode may have. If an answer is larger, the chaincode gets an
	// ERROR instead. If the message that starts a transaction is larger, Execute returns an error. 0: the handler has no
	// limit of its own, and a message that exceeds the stream's limit, as gRPC has one, ends the stream. In chaincodesupport
	// 0 means pb.MaxMessageSize.
	MaxSendMsgSize int
	// MaxBytes is how many bytes the peer holds for one chaincode. A quarter is for what the chaincode has sent and waits to
	// be served, and a quarter for what waits to be sent. Half is for what transactions keep until they end. The package's
	// documentation says more. 0: 512 MiB.
	MaxBytes int
	// MaxTransactionBytes is how many bytes a transaction may write, with keys, values and metadata, and what the ledger
	// charges for them beside. What it reads counts its keys. The chaincodes that it calls on its channel count as well. A
	// request beyond that gets an ERROR. 0: 256 MiB.
	MaxTransactionBytes int
	// SendQueue is how many messages may wait to be sent. 0: 256.
	SendQueue int

	// Offer is what READY offers chaincode beyond what every peer can do.
	Offer Offer
	// Strict ends the stream when a transaction sends a request while another is pending. Without it the second request is
	// ignored, as Fabric's peer does.
	Strict bool
}

// Offer is what READY tells chaincode that it may send (Fabric: chaincode.runtimeParams). What isn't offered is still
// served, up to the default. A value below 100 counts as 100, because official shims insist on that.
type Offer struct {
	// WriteBatch is how many writes a batch may have. 0: 1,000. -1: batches are not offered.
	WriteBatch int
	// MultipleKeys is how many keys may be read at once. 0: 1,000. -1: reading many at once is not offered.
	MultipleKeys int
}

const (
	// unoffered is the value of an offer that isn't made.
	unoffered = -1
	// maxBatch is how many writes or keys a request may have if the peer has not said otherwise.
	maxBatch = 1000
)

// table has a row for each limit: a new one is one more field and one more row.
func (l *Limits) table() []limit.Row {
	return []limit.Row{
		limit.Duration("ExecuteTimeout", &l.ExecuteTimeout, 30*time.Second),
		limit.Duration("RegisterTimeout", &l.RegisterTimeout, 10*time.Second),
		limit.Duration("Keepalive", &l.Keepalive, 0),
		limit.Duration("SendTimeout", &l.SendTimeout, 30*time.Second),
		limit.Number("MaxInFlight", &l.MaxInFlight, 2500),
		limit.Number("MaxCallDepth", &l.MaxCallDepth, 64),
		limit.Number("MaxQueries", &l.MaxQueries, 256),
		limit.Number("TotalQueryLimit", &l.TotalQueryLimit, 100_000),
		limit.Number("MaxPageBytes", &l.MaxPageBytes, 4<<20),
		limit.Number("MaxEventBytes", &l.MaxEventBytes, 4<<20),
		limit.Number("MaxSendMsgSize", &l.MaxSendMsgSize, 0),
		limit.Number("MaxBytes", &l.MaxBytes, 512<<20),
		limit.Number("MaxTransactionBytes", &l.MaxTransactionBytes, 256<<20),
		limit.Number("SendQueue", &l.SendQueue, 256),
		limit.Number("Offer.WriteBatch", &l.Offer.WriteBatch, maxBatch).From(unoffered),
		limit.Number("Offer.MultipleKeys", &l.Offer.MultipleKeys, maxBatch).From(unoffered),
	}
}

// WithDefaults returns the limits with each 0 replaced by its default. It returns an error that names the field if a value
// is too low.
func (l Limits) WithDefaults() (Limits, error) {
	if err := limit.Check(l.table()); err != nil {
		return l, errors.WithMessage(err, "Limits")
	}
	limit.Complete(l.table())
	return l, nil
}

// batch returns how many writes or keys a request may have, given what was offered.
func batch(offer int) int {
	if offer == unoffered {
		offer = maxBatch
	}
	return max(offer, 100) // official shims take no less
}
