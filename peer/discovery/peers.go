package discovery

import (
	"crypto/sha256"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Peer is a peer that clients can be told of.
type Peer struct {
	// Identity is the peer's, a marshalled SerializedIdentity. Required.
	Identity []byte
	// Endpoint is where it serves clients, as host:port. A peer without one isn't shown.
	Endpoint string
	// Started is when it was started.
	Started time.Time
	// Height is how many blocks it has of the channel that is asked about.
	Height uint64
	// Chaincodes are those that it can run on that channel.
	Chaincodes []Installed
}

// Installed is a chaincode that a peer can run.
type Installed struct {
	// Name is its name, and Version how often it was defined on the channel, as a decimal number (Fabric: the sequence).
	Name, Version string
}

// runs reports whether the peer can run the chaincodes that are defined.
func (p *Peer) runs(defined []*Chaincode) bool {
	installed := map[Installed]bool{}
	for _, i := range p.Chaincodes {
		installed[i] = true
	}
	for _, d := range defined {
		if !installed[Installed{d.Name, d.Version}] {
			return false
		}
	}
	return true
}

// message is the peer as clients get it. Without a channel nothing is said of its state.
//
// In Fabric, each peer has signed what gossip says of it. Clients don't check that, so there are no signatures here.
func (p *Peer) message(channelID string) (*pb.DiscoveredPeer, error) {
	id := pkiID(p.Identity)
	started := uint64(max(p.Started.UnixNano(), 0)) //nolint:gosec // not negative
	alive, err := envelope(&pb.GossipMessage{Tag: pb.GossipMessage_EMPTY, Content: &pb.GossipMessage_AliveMsg{AliveMsg: &pb.AliveMessage{
		Membership: &pb.GossipMember{Endpoint: p.Endpoint, PkiId: id}, Timestamp: &pb.PeerTime{IncNum: started, SeqNum: 1},
	}}})
	if err != nil {
		return nil, err
	}
	m := &pb.DiscoveredPeer{Identity: p.Identity, MembershipInfo: alive}
	if channelID == "" {
		return m, nil
	}
	mac := sha256.Sum256(append(id, channelID...))
	properties := &pb.GossipProperties{LedgerHeight: p.Height}
	for _, c := range p.Chaincodes {
		properties.Chaincodes = append(properties.Chaincodes, &pb.GossipChaincode{Name: c.Name, Version: c.Version})
	}
	m.StateInfo, err = envelope(&pb.GossipMessage{Tag: pb.GossipMessage_CHAN_OR_ORG, Content: &pb.GossipMessage_StateInfo{StateInfo: &pb.StateInfo{
		Timestamp: &pb.PeerTime{IncNum: started, SeqNum: p.Height + 1}, PkiId: id, Channel_MAC: mac[:], Properties: properties,
	}}})
	return m, err
}

func envelope(m *pb.GossipMessage) (*pb.GossipEnvelope, error) {
	b, err := proto.Marshal(m)
	return &pb.GossipEnvelope{Payload: b}, errors.Wrap(err, "marshal GossipMessage")
}

// pkiID is what gossip knows a peer by (Fabric: internal/pkg/peer/gossip/mcs.go, GetPKIidOfCert).
func pkiID(creator []byte) []byte {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return nil
	}
	sum := sha256.Sum256(append([]byte(id.GetMspid()), id.GetIdBytes()...))
	return sum[:]
}

// mspIDOfIdentity returns the ID of the MSP that an identity says it is of, or "".
func mspIDOfIdentity(creator []byte) string {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return ""
	}
	return id.GetMspid()
}

// byOrganization are peers as clients get them. Organizations whose peers are all left out are there, without peers.
func byOrganization(peers []Peer, channelID string, show func(*Peer) bool) (*pb.PeerMembershipResult, error) {
	all := map[string]*pb.DiscoveredPeers{}
	for i := range peers {
		p := &peers[i]
		of := all[mspIDOfIdentity(p.Identity)]
		if of == nil {
			of = new(pb.DiscoveredPeers)
			all[mspIDOfIdentity(p.Identity)] = of
		}
		if p.Endpoint == "" || !show(p) {
			continue
		}
		m, err := p.message(channelID)
		if err != nil {
			return nil, err
		}
		of.Peers = append(of.Peers, m)
	}
	return &pb.PeerMembershipResult{PeersByOrg: all}, nil
}
