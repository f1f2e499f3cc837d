// Package discovery tells clients whom to ask: a channel's organizations and orderers, its peers, and which of them must endorse a
// transaction (Fabric: discovery).
//
//	s, err := discovery.New(discovery.Config{Channel: channel, Peers: peers, Access: checker})
//	pbgrpc.RegisterDiscoveryServer(server, s)
//
// Old SDKs begin with it, as do explorers. A request has a client's identity and signature, and several queries. Each of them
// has one result, in the same order. What a result says, and the texts of errors, are Fabric's.
//
// # Layouts
//
// Who must endorse is answered by groups of peers, and by layouts: each says of how many peers of each group an endorsement is enough.
// A group is a principal of the policies that the transaction must fulfil, such as the peers of Org1MSP. All smallest layouts are there
// that the peers can fill, up to 10,000. Fabric leaves out some of several policies, and has some for which there are too few peers,
// because it counts a peer in two groups. The layouts are compared with Fabric's in internal/realfabric.
package discovery

import (
	"bytes"
	"context"
	"encoding/hex"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Resource is what Access is asked for. In Fabric, a channel's Writers may ask about the channel, and administrators of the peer's
// organization about all peers. That is a request without a channel.
const Resource = "discovery"

// Channel is a channel of the peer. Its errors are logged. It is safe for concurrent use, and what it returns is not modified.
type Channel interface {
	// Verifier knows the members of the channel's organizations.
	Verifier() *identity.Verifier
	// Configuration returns what clients are told of the channel: see FromConfig.
	Configuration(ctx context.Context) (*pb.ConfigResult, error)
	// Peers returns the peers that are on the channel, this one included.
	Peers(ctx context.Context) ([]Peer, error)
	// Chaincode returns the definition of a chaincode, or nil if there is none.
	Chaincode(ctx context.Context, name string) (*Chaincode, error)
}

// Chaincode is what a channel has agreed on about a chaincode.
type Chaincode struct {
	// Name is its name, and Version is that of Installed.
	Name, Version string
	// Endorsement is its endorsement policy. policies.ImplicitMeta.Signature makes one of a policy over organizations.
	Endorsement policies.Signature
	// Collections are those of private data. Implicit ones need not be there.
	Collections []Collection
}

// Collection is a collection of a chaincode.
type Collection struct {
	// Name is its name.
	Name string
	// Members says whose peers may have its data.
	Members policies.Signature
	// Endorsement is its own endorsement policy. Nil: the chaincode's counts.
	Endorsement *policies.Signature
}

// Config says whom the service knows.
type Config struct {
	// Channel returns a channel, or nil if the peer isn't on it. Required.
	Channel func(channelID string) Channel
	// Peers returns all peers that this one knows. Nil: there are none.
	Peers func(ctx context.Context) ([]Peer, error)
	// Access decides who may ask: see Resource. Required.
	Access acl.Checker
	// TLSCertHash returns SHA-256 of the certificate with which the client has connected, or nothing. If it is set, clients must have
	// one, and name it in the request. Nil: what they name isn't looked at. It isn't in Fabric either, even with mutual TLS: a peer of
	// Fabric has the code for it, but never hands it its configuration (discovery, service.go).
	TLSCertHash func(ctx context.Context) []byte
	// MaxBytes is how large a request may be, and MaxQueries how many queries it may have. A query for endorsers counts once for each
	// of its interests. Zero: 1 MiB, and 100.
	MaxBytes, MaxQueries int
	// Logger gets the reasons that clients are not told. Nil: nothing is logged.
	Logger *zap.Logger
}

// Service answers clients. It is safe for concurrent use.
type Service struct {
	cfg Config
}

// New returns a Service. There is nothing to close.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Channel == nil, cfg.Access == nil:
		return nil, errors.New("make discovery service: Config.Channel and Access are required")
	case cfg.MaxBytes < 0, cfg.MaxQueries < 0:
		return nil, errors.Errorf("make discovery service: Config.MaxBytes is %d and MaxQueries %d, want positive ones, or 0", cfg.MaxBytes, cfg.MaxQueries)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
	if cfg.MaxQueries == 0 {
		cfg.MaxQueries = 100
	}
	if cfg.Peers == nil {
		cfg.Peers = func(context.Context) ([]Peer, error) { return nil, nil }
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.Named("discovery")
	return &Service{cfg: cfg}, nil
}

// Discover answers the queries of a request, each by one result. A request without an identity gets an error, as does one that is too
// large.
func (s *Service) Discover(ctx context.Context, signed *pb.SignedDiscoveryRequest) (*pb.DiscoveryResponse, error) {
	r, err := s.open(ctx, signed)
	if err != nil {
		s.cfg.Logger.Warn("request is malformed or invalid", zap.Error(err))
		return nil, err
	}
	c := conversation{Service: s, signed: signed, identity: r.GetAuthentication().GetClientIdentity(), work: newWork(ctx), access: map[string]error{}}
	response := new(pb.DiscoveryResponse)
	for _, q := range r.GetQueries() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		response.Results = append(response.Results, c.answer(ctx, q))
	}
	return response, nil
}

// open takes a request apart, and checks its form.
func (s *Service) open(ctx context.Context, signed *pb.SignedDiscoveryRequest) (*pb.DiscoveryRequest, error) {
	if signed == nil {
		return nil, errors.New("nil request")
	}
	if size := len(signed.GetPayload()); size > s.cfg.MaxBytes {
		return nil, errors.Errorf("request has %d bytes, and may have %d", size, s.cfg.MaxBytes)
	}
	r := new(pb.DiscoveryRequest)
	if err := proto.Unmarshal(signed.GetPayload(), r); err != nil {
		return nil, errors.Wrap(err, "failed parsing request")
	}
	switch {
	case r.GetAuthentication() == nil:
		return nil, errors.New("access denied, no authentication info in request")
	case len(r.GetAuthentication().GetClientIdentity()) == 0:
		return nil, errors.New("access denied, client identity wasn't supplied")
	case countQueries(r) > s.cfg.MaxQueries:
		return nil, errors.Errorf("request has %d queries, and may have %d", countQueries(r), s.cfg.MaxQueries)
	case s.cfg.TLSCertHash == nil:
		return r, nil
	}
	return r, s.checkTLS(s.cfg.TLSCertHash(ctx), r.GetAuthentication().GetClientTlsCertHash())
}

// countQueries counts what gets an answer of its own. An interest takes a few bytes, and its answer has all peers in it.
func countQueries(r *pb.DiscoveryRequest) int {
	n := 0
	for _, q := range r.GetQueries() {
		n += max(len(q.GetCcQuery().GetInterests()), 1)
	}
	return n
}

// checkTLS checks that the certificate of a client's connection is the one that its request names.
func (s *Service) checkTLS(is, claimed []byte) error {
	if len(is) == 0 {
		return errors.New("client didn't send a TLS certificate")
	}
	if !bytes.Equal(is, claimed) {
		s.cfg.Logger.Warn("client's TLS certificate isn't the one that it claims", zap.String("is", hex.EncodeToString(is)), zap.Int("claimed bytes", len(claimed)))
		return errors.New("client claimed TLS hash doesn't match computed TLS hash from gRPC stream")
	}
	return nil
}

// conversation is one request.
type conversation struct {
	*Service
	signed   *pb.SignedDiscoveryRequest
	identity []byte
	work     *work
	access   map[string]error // what was decided, by channel: it takes a signature's time
}

// answer answers a query. Whether a channel is unknown or the client may not ask about it is not told.
func (c *conversation) answer(ctx context.Context, q *pb.DiscoveryQuery) *pb.DiscoveryResult {
	channelID := q.GetChannel()
	var channel Channel
	if channelID != "" {
		if channel = c.cfg.Channel(channelID); channel == nil {
			c.cfg.Logger.Warn("query for a channel that doesn't exist", zap.String("channel", channelID))
			return failure(errors.New("access denied"))
		}
	}
	if err := c.mayAsk(ctx, channelID); err != nil {
		c.cfg.Logger.Warn("query isn't allowed", zap.String("channel", channelID), zap.Error(err))
		return failure(errors.New("access denied"))
	}
	result, err := c.dispatch(ctx, q, channel)
	if err != nil {
		return failure(err)
	}
	return result
}

func (c *conversation) mayAsk(ctx context.Context, channelID string) error {
	err, known := c.access[channelID]
	if !known {
		err = c.cfg.Access.Check(ctx, acl.Request{
			Resource: Resource, ChannelID: channelID, Data: c.signed.GetPayload(), Identity: c.identity, Signature: c.signed.GetSignature(),
		})
		c.access[channelID] = err
	}
	return err
}

// dispatch answers a query that is allowed. Its errors are for the client.
func (c *conversation) dispatch(ctx context.Context, q *pb.DiscoveryQuery, channel Channel) (*pb.DiscoveryResult, error) {
	switch {
	case channel == nil && q.GetLocalPeers() != nil:
		return c.localPeers(ctx)
	case channel == nil:
	case q.GetCcQuery() != nil:
		return c.chaincodes(ctx, q, channel)
	case q.GetConfigQuery() != nil:
		result, err := channel.Configuration(ctx)
		if err != nil {
			c.cfg.Logger.Error("config can't be fetched", zap.String("channel", q.GetChannel()), zap.Error(err))
			return nil, errors.Errorf("failed fetching config for channel %s", q.GetChannel())
		}
		return &pb.DiscoveryResult{Result: &pb.DiscoveryResult_ConfigResult{ConfigResult: result}}, nil
	case q.GetPeerQuery() != nil:
		return c.peers(ctx, q, channel)
	}
	return nil, errors.New("unknown or missing request type")
}

// failure is a result that tells an error.
func failure(err error) *pb.DiscoveryResult {
	return &pb.DiscoveryResult{Result: &pb.DiscoveryResult_Error{Error: &pb.DiscoveryError{Content: err.Error()}}}
}

func members(m *pb.PeerMembershipResult, err error) (*pb.DiscoveryResult, error) {
	return &pb.DiscoveryResult{Result: &pb.DiscoveryResult_Members{Members: m}}, err
}

func (c *conversation) localPeers(ctx context.Context) (*pb.DiscoveryResult, error) {
	peers, err := c.cfg.Peers(ctx)
	if err != nil {
		return nil, err
	}
	return members(byOrganization(peers, "", func(*Peer) bool { return true }))
}

// peers answers who is on a channel. With a filter, it is those who can run all that it names, and may have its private data.
func (c *conversation) peers(ctx context.Context, q *pb.DiscoveryQuery, channel Channel) (*pb.DiscoveryResult, error) {
	peers, err := channel.Peers(ctx)
	if err != nil {
		return nil, err
	}
	a := analysis{query: query{q.GetChannel(), q.GetPeerQuery().GetFilter(), c.work}, channel: channel, peers: peers}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	return members(byOrganization(peers, q.GetChannel(), func(p *Peer) bool { return p.runs(a.chaincodes) && a.trusts(a.identify(p)) }))
}

// chaincodes answers who must endorse.
func (c *conversation) chaincodes(ctx context.Context, q *pb.DiscoveryQuery, channel Channel) (*pb.DiscoveryResult, error) {
	if err := checkInterests(q.GetCcQuery().GetInterests()); err != nil {
		return nil, err
	}
	result := new(pb.ChaincodeQueryResult)
	for _, interest := range q.GetCcQuery().GetInterests() {
		d, err := descriptor(ctx, channel, query{q.GetChannel(), interest, c.work})
		if err != nil {
			c.cfg.Logger.Error("descriptor can't be made", zap.String("channel", q.GetChannel()), zap.Error(err))
			return nil, errors.Errorf("failed constructing descriptor for %s", compactText(interest))
		}
		result.Content = append(result.Content, d)
	}
	return &pb.DiscoveryResult{Result: &pb.DiscoveryResult_CcQueryRes{CcQueryRes: result}}, nil
}

func checkInterests(all []*pb.ChaincodeInterest) error {
	if len(all) == 0 {
		return errors.New("chaincode query must have at least one chaincode interest")
	}
	for _, interest := range all {
		switch {
		case interest == nil:
			return errors.New("chaincode interest is nil")
		case len(interest.GetChaincodes()) == 0:
			return errors.New("chaincode interest must contain at least one chaincode")
		}
		for _, call := range interest.GetChaincodes() {
			if call.GetName() == "" {
				return errors.New("chaincode name in interest cannot be empty")
			}
		}
	}
	return nil
}
