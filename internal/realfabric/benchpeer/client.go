package benchpeer

import (
	"context"
	"os"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/gatewayclient"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	pb "github.com/ccpeer/ccpeer/proto"
)

// client is a client of a network, at the peer of the first organization.
type client struct {
	gatewayclient.Client
	conn *grpc.ClientConn
}

// connect connects to a network.
func connect(t *target.Target) (*client, error) {
	o := t.Organizations[0]
	root, err := os.ReadFile(o.TLSRoot)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	user := o.Users["User1"]
	certificate, err := os.ReadFile(user.Cert)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	key, err := os.ReadFile(user.Key)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	who, err := identity.Load(o.MSPID, certificate, key)
	if err != nil {
		return nil, err
	}
	conn, err := gatewayclient.Dial(o.Peer, root, o.ServerName)
	if err != nil {
		return nil, err
	}
	return &client{gatewayclient.Client{Conn: conn, ChannelID: t.Channel, Signer: who}, conn}, nil
}

// submit has a transaction ordered, which must be valid.
func (c *client) submit(ctx context.Context, chaincode string, args [][]byte) error {
	tx, err := c.Submit(ctx, chaincode, args...)
	if err == nil && tx.Code != pb.TxValidationCode_VALID {
		err = errors.Errorf("transaction %s is %s", tx.TxID, tx.Code)
	}
	return err
}
