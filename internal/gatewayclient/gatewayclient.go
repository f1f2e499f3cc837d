// Package gatewayclient is a client of Fabric's Gateway for tests and benchmarks. It asks what Fabric's own clients ask, in the order
// in which they do, and costs little.
//
//	c := &gatewayclient.Client{Conn: conn, ChannelID: "mychannel", Signer: alice}
//	tx, err := c.Submit(ctx, "asset", []byte("Create"), []byte("a1"))
package gatewayclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Dial returns a connection to a peer that speaks TLS. root is the certificate that it is trusted by, as PEM, and name the one that
// its own must be for.
func Dial(address string, root []byte, name string) (*grpc.ClientConn, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("dial peer: there is no certificate to trust")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12,
	})))
	return conn, errors.Wrap(err, "dial peer")
}

// Client is a client of the Gateway of the peer that Conn leads to. It is safe for concurrent use.
type Client struct {
	Conn      grpc.ClientConnInterface
	ChannelID string
	Signer    identity.Signer
}

// Transaction is one that is in a block.
type Transaction struct {
	// TxID is its ID.
	TxID string
	// Block is the number of its block, and Code says whether it is valid.
	Block uint64
	Code  pb.TxValidationCode
}

func (c *Client) propose(chaincode string, args [][]byte) (*identity.Proposal, error) {
	return identity.NewProposal(identity.ProposalParams{ChannelID: c.ChannelID, Chaincode: chaincode, Args: args, Signer: c.Signer})
}

// Evaluate returns what a chaincode answers.
func (c *Client) Evaluate(ctx context.Context, chaincode string, args ...[]byte) ([]byte, error) {
	p, err := c.propose(chaincode, args)
	if err != nil {
		return nil, err
	}
	r, err := pbgrpc.Call[pb.EvaluateResponse](ctx, c.Conn, pbgrpc.Gateway_Evaluate_FullMethodName, &pb.EvaluateRequest{
		TransactionId: p.TxID, ChannelId: c.ChannelID, ProposedTransaction: p.Signed,
	})
	return r.GetResult().GetPayload(), errors.Wrap(err, "evaluate")
}

// Submit has a transaction endorsed and ordered, and waits until the peer has committed it. After an error, TxID says which transaction
// it was, if that is known.
func (c *Client) Submit(ctx context.Context, chaincode string, args ...[]byte) (Transaction, error) {
	p, err := c.propose(chaincode, args)
	if err != nil {
		return Transaction{}, err
	}
	tx := Transaction{TxID: p.TxID}
	endorsed, err := pbgrpc.Call[pb.EndorseResponse](ctx, c.Conn, pbgrpc.Gateway_Endorse_FullMethodName, &pb.EndorseRequest{
		TransactionId: p.TxID, ChannelId: c.ChannelID, ProposedTransaction: p.Signed,
	})
	if err != nil {
		return tx, errors.Wrap(err, "endorse")
	}
	envelope := endorsed.GetPreparedTransaction()
	if envelope.Signature, err = c.Signer.Sign(envelope.GetPayload()); err != nil {
		return tx, err
	}
	question, err := c.question(p.TxID)
	if err != nil {
		return tx, err
	}
	if _, err := pbgrpc.Call[pb.SubmitResponse](ctx, c.Conn, pbgrpc.Gateway_Submit_FullMethodName, &pb.SubmitRequest{
		TransactionId: p.TxID, ChannelId: c.ChannelID, PreparedTransaction: envelope,
	}); err != nil {
		return tx, errors.Wrap(err, "submit")
	}
	return c.ask(ctx, tx, question)
}

// Status says what has become of a transaction, and waits until it is committed.
func (c *Client) Status(ctx context.Context, txID string) (Transaction, error) {
	question, err := c.question(txID)
	if err != nil {
		return Transaction{}, err
	}
	return c.ask(ctx, Transaction{TxID: txID}, question)
}

func (c *Client) question(txID string) (*pb.SignedCommitStatusRequest, error) {
	request, err := proto.Marshal(&pb.CommitStatusRequest{TransactionId: txID, ChannelId: c.ChannelID, Identity: c.Signer.Creator()})
	if err != nil {
		return nil, errors.WithStack(err)
	}
	signature, err := c.Signer.Sign(request)
	return &pb.SignedCommitStatusRequest{Request: request, Signature: signature}, err
}

func (c *Client) ask(ctx context.Context, tx Transaction, question *pb.SignedCommitStatusRequest) (Transaction, error) {
	status, err := pbgrpc.Call[pb.CommitStatusResponse](ctx, c.Conn, pbgrpc.Gateway_CommitStatus_FullMethodName, question)
	if err != nil {
		return tx, errors.Wrap(err, "ask for the status")
	}
	tx.Block, tx.Code = status.GetBlockNumber(), status.GetResult()
	return tx, nil
}

// Events returns a chaincode's events from a block on, or, if after isn't empty, those after that transaction. They end with ctx.
func (c *Client) Events(ctx context.Context, chaincode string, from uint64, after string) (grpc.BidiStreamingClient[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse], error) {
	request, err := proto.Marshal(&pb.ChaincodeEventsRequest{
		ChannelId: c.ChannelID, ChaincodeId: chaincode, Identity: c.Signer.Creator(), AfterTransactionId: after,
		StartPosition: &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: from}}},
	})
	if err != nil {
		return nil, errors.WithStack(err)
	}
	signature, err := c.Signer.Sign(request)
	if err != nil {
		return nil, err
	}
	s, err := pbgrpc.Open[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse](ctx, c.Conn, pbgrpc.Gateway_ChaincodeEvents_FullMethodName)
	if err != nil {
		return nil, errors.Wrap(err, "ask for events")
	}
	if err := s.Send(&pb.SignedChaincodeEventsRequest{Request: request, Signature: signature}); err != nil {
		return nil, errors.Wrap(err, "ask for events")
	}
	return s, errors.Wrap(s.CloseSend(), "ask for events")
}
