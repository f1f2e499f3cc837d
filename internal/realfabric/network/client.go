package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Success is the status of an envelope that the orderer takes (common.Status).
const Success = 200

// unavailable is the status while the orderer isn't ready.
const unavailable = 503

// Broadcast sends bytes to the orderer as an envelope, and returns its status and what it says. An error is one of gRPC: that
// of bytes that aren't an envelope.
func (n *Network) Broadcast(ctx context.Context, envelope []byte) (status int, info string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := stream(ctx, n.broadcasts, "/orderer.AtomicBroadcast/Broadcast")
	if err != nil {
		return 0, "", err
	}
	if err := s.SendMsg(&envelope); err != nil {
		return 0, "", errors.Wrap(err, "send envelope")
	}
	var response []byte
	if err := s.RecvMsg(&response); err != nil {
		return 0, "", errors.Wrap(err, "receive answer to envelope")
	}
	numbers, parts, err := fields(response)
	return int(numbers[1]), string(parts[2]), err //nolint:gosec // a status is small
}

// order has the orderer take an envelope. It waits until the orderer is ready.
func (n *Network) order(ctx context.Context, envelope []byte) error {
	for {
		status, info, err := n.Broadcast(ctx, envelope)
		switch {
		case err != nil:
			return err
		case status == Success:
			return nil
		case status != unavailable:
			return errors.Errorf("orderer answers %d, %s", status, info)
		}
		if pause(ctx) != nil {
			return errors.Errorf("orderer is not ready: %s", info)
		}
	}
}

// Cut has the orderer make a block of what is pending, if anything is. It sends it an envelope that is too large to be in a block
// with others. So there is one more block, of this envelope alone, which peers find invalid.
func (n *Network) Cut(ctx context.Context) error {
	envelope, err := n.signed(n.Organizations[0].User, pb.HeaderType_MESSAGE, make([]byte, PreferredMaxBytes))
	if err != nil {
		return err
	}
	return n.order(ctx, envelope)
}

// signed is an envelope for the channel.
func (n *Network) signed(by *identity.Identity, typ pb.HeaderType, data []byte) ([]byte, error) {
	nonce := []byte("24 bytes, of some nonce.")
	shown := sha256.Sum256(n.tls.pair.Certificate[0]) // by which a peer that wants certificates knows this connection
	channel, err := proto.Marshal(&pb.ChannelHeader{
		Type: int32(typ), ChannelId: ChannelID, TxId: identity.ComputeTxID(nonce, by.Creator()), Timestamp: timestamppb.Now(),
		TlsCertHash: shown[:],
	})
	if err != nil {
		return nil, errors.WithStack(err)
	}
	signature, err := proto.Marshal(&pb.SignatureHeader{Creator: by.Creator(), Nonce: nonce})
	if err != nil {
		return nil, errors.WithStack(err)
	}
	e := &pb.Envelope{}
	if e.Payload, err = proto.Marshal(&pb.Payload{Header: &pb.Header{ChannelHeader: channel, SignatureHeader: signature}, Data: data}); err != nil {
		return nil, errors.WithStack(err)
	}
	if e.Signature, err = by.Sign(e.GetPayload()); err != nil {
		return nil, err
	}
	b, err := proto.Marshal(e)
	return b, errors.WithStack(err)
}

// Address returns where the organization's peer listens. Its certificate is of the CA that TLSRoot returns.
func (o *Organization) Address() string { return o.peer.address() }

// Orderer returns where the orderer listens, as Address does for peers.
func (n *Network) Orderer() string { return n.orderer.address() }

// TLSRoot returns the certificate of the CA for TLS, as PEM.
func (n *Network) TLSRoot() []byte { return bytes.Clone(n.tls.root) }

// TLSCertificate returns files that hold a certificate of that CA and its key, in PEM, which a client may show.
func (n *Network) TLSCertificate() (cert, key string) {
	return n.path("tls", "cert.pem"), n.path("tls", "key.pem")
}

// Endorse has the organization's peer run a proposal.
func (o *Organization) Endorse(ctx context.Context, proposal *pb.SignedProposal) (*pb.ProposalResponse, error) {
	request, err := proto.Marshal(proposal)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	var b []byte
	if err := o.conn.Invoke(ctx, "/protos.Endorser/ProcessProposal", &request, &b); err != nil {
		return nil, errors.WithStack(err)
	}
	response := &pb.ProposalResponse{}
	return response, errors.WithStack(proto.Unmarshal(b, response))
}

// meet waits until each peer knows of the other one that it runs the chaincodes. It learns that by gossip, after the definitions.
func (n *Network) meet(ctx context.Context) error {
	return n.each(func(o *Organization) error {
		for _, cc := range n.cfg.Chaincodes {
			for _, other := range n.Organizations {
				if err := o.find(ctx, cc.Name, other.MSP.ID()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// find waits until the organization's gateway knows who runs a chaincode for an organization. What that answers doesn't matter.
func (o *Organization) find(ctx context.Context, chaincode, mspID string) error {
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: ChannelID, Chaincode: chaincode, Args: [][]byte{[]byte("are you there")}, Signer: o.User})
	if err != nil {
		return err
	}
	request, err := proto.Marshal(&pb.EvaluateRequest{TransactionId: p.TxID, ChannelId: ChannelID, ProposedTransaction: p.Signed, TargetOrganizations: []string{mspID}})
	if err != nil {
		return errors.WithStack(err)
	}
	for {
		var response []byte
		err := o.conn.Invoke(ctx, "/gateway.Gateway/Evaluate", &request, &response)
		if c := status.Code(err); c == codes.OK || c == codes.Unknown { // Unknown: chaincode has answered
			return nil
		}
		if pause(ctx) != nil {
			return errors.Wrapf(err, "find %s of %s", chaincode, mspID)
		}
	}
}

// call has the organization's administrator call chaincode of its peer that needs no channel.
func (o *Organization) call(ctx context.Context, chaincode string, args ...[]byte) error {
	_, _, err := o.propose(ctx, "", chaincode, args, o)
	return err
}

// propose has the organization's administrator call chaincode of the peers of some organizations. It is an error if one of them
// doesn't answer with success.
func (o *Organization) propose(ctx context.Context, channelID, chaincode string, args [][]byte, by ...*Organization) (*identity.Proposal, []*pb.ProposalResponse, error) {
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: channelID, Chaincode: chaincode, Args: args, Signer: o.Admin})
	if err != nil {
		return nil, nil, err
	}
	var responses []*pb.ProposalResponse
	for _, endorser := range by {
		r, err := endorser.Endorse(ctx, p.Signed)
		if err != nil {
			return nil, nil, errors.WithMessagef(err, "call %s of %s", chaincode, endorser.MSP.ID())
		}
		if s := r.GetResponse().GetStatus(); s != Success {
			return nil, nil, errors.Errorf("call %s of %s: status %d, %s", chaincode, endorser.MSP.ID(), s, r.GetResponse().GetMessage())
		}
		responses = append(responses, r)
	}
	return p, responses, nil
}

// Blocks are a channel's blocks as a peer has them.
type Blocks struct{ stream grpc.ClientStream }

// Blocks returns the blocks of the organization's peer, from a number on, without an end. They end with ctx, which the caller
// must end.
func (o *Organization) Blocks(ctx context.Context, from uint64) (*Blocks, error) {
	s, err := stream(ctx, o.conn, "/protos.Deliver/Deliver")
	if err != nil {
		return nil, err
	}
	request, err := o.network.signed(o.Admin, pb.HeaderType_DELIVER_SEEK_INFO, seek(from))
	if err != nil {
		return nil, err
	}
	return &Blocks{s}, errors.Wrap(s.SendMsg(&request), "ask for blocks")
}

// Next waits until the peer has committed the next block, and returns it.
func (b *Blocks) Next() (*pb.Block, error) {
	var response []byte
	if err := b.stream.RecvMsg(&response); err != nil {
		return nil, errors.Wrap(err, "receive block")
	}
	return readBlock(response)
}

// Codes returns a committed block's validation codes, by Fabric's numbers, in a new slice.
func Codes(b *pb.Block) []byte {
	return slices.Clone(b.GetMetadata().GetMetadata()[pb.BlockMetadataIndex_TRANSACTIONS_FILTER])
}
