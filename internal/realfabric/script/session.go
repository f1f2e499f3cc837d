package script

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	gwid "github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// first and second are the organizations that have peers.
const (
	first  = "Org1MSP"
	second = "Org2MSP"
)

// session is a client's connections to a network, and who it can be.
type session struct {
	t       testing.TB
	target  *target.Target
	peers   map[string]*grpc.ClientConn // by organization
	orderer *grpc.ClientConn
	users   map[string]*user // by name@organization
	names   map[string]string
	tls     []tls.Certificate // what is shown to servers
	hash    []byte            // of its certificate; nil if there is none
}

// user is somebody who signs.
type user struct {
	*gwid.X509Identity
	sign    gwid.Sign
	creator []byte
}

// newSession connects to a network, until the test ends.
func newSession(t testing.TB, on *target.Target) *session {
	t.Helper()
	s := &session{t: t, target: on, peers: map[string]*grpc.ClientConn{}, users: map[string]*user{}, names: map[string]string{}}
	t.Cleanup(s.close)
	if err := s.open(); err != nil {
		t.Fatalf("%+v", err)
	}
	return s
}

func (s *session) open() (err error) {
	if c := s.target.TLSClient; c != nil {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return errors.WithStack(err)
		}
		sum := sha256.Sum256(pair.Certificate[0])
		s.tls, s.hash = []tls.Certificate{pair}, sum[:]
	}
	for _, o := range s.target.Organizations {
		if s.peers[o.MSPID], err = s.dial(o.Peer, o.ServerName, o.TLSRoot); err != nil {
			return err
		}
		s.names[o.Peer] = "<peer of " + o.MSPID + ">"
		for name, u := range o.Users {
			if s.users[name+"@"+o.MSPID], err = load(o.MSPID, u); err != nil {
				return err
			}
		}
	}
	if err := s.strangers(); err != nil {
		return err
	}
	if s.names[s.target.Orderer.Address] == "" { // it may be where a peer is
		s.names[s.target.Orderer.Address] = "<orderer>"
	}
	s.orderer, err = s.dial(s.target.Orderer.Address, s.target.Orderer.ServerName, s.target.Orderer.TLSRoot)
	return err
}

func (s *session) close() {
	for _, conn := range s.peers {
		if conn != nil {
			_ = conn.Close() // all was said
		}
	}
	if s.orderer != nil {
		_ = s.orderer.Close()
	}
}

func (s *session) dial(address, serverName, root string) (*grpc.ClientConn, error) {
	pem, err := os.ReadFile(root)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.Errorf("%s has no certificate", root)
	}
	cfg := &tls.Config{RootCAs: pool, ServerName: serverName, Certificates: s.tls, MinVersion: tls.VersionTLS12}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(100<<20)))
	return conn, errors.WithStack(err)
}

func load(mspID string, u target.User) (*user, error) {
	cert, err := os.ReadFile(u.Cert)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	key, err := os.ReadFile(u.Key)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return newUser(mspID, cert, key)
}

func newUser(mspID string, cert, key []byte) (*user, error) {
	parsed, err := gwid.CertificateFromPEM(cert)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	id, err := gwid.NewX509Identity(mspID, parsed)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	private, err := gwid.PrivateKeyFromPEM(key)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	sign, err := gwid.NewPrivateKeySign(private)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	creator, err := serialize(mspID, id.Credentials())
	return &user{id, sign, creator}, err
}

// strangers are users whom the network doesn't know: Stranger@Org3MSP is of another organization, and Forger says that he is of the
// first one, but has a certificate of another CA.
func (s *session) strangers() error {
	for name, mspID := range map[string]string{"Stranger": "Org3MSP", "Forger": first} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
		if err != nil {
			return err
		}
		id, err := msp.Issue(identity.Config{CommonName: name})
		if err != nil {
			return err
		}
		key, err := id.KeyPEM()
		if err != nil {
			return err
		}
		if s.users[name+"@"+mspID], err = newUser(mspID, id.CertificatePEM(), key); err != nil {
			return err
		}
	}
	return nil
}

// as is a user's gateway, at the peer of the first organization, unless the user is of another one that has a peer.
func (s *session) as(name string) *client.Gateway {
	u := s.users[name]
	at := u.MspID()
	if s.peers[at] == nil {
		at = first
	}
	return s.at(name, at)
}

// at is a user's gateway at the peer of an organization.
func (s *session) at(name, organization string) *client.Gateway {
	u := s.users[name]
	gw, err := client.Connect(u, client.WithSign(u.sign), client.WithHash(hash.SHA256), client.WithClientConnection(s.peers[organization]),
		client.WithTLSClientCertificateHash(s.hash))
	if err != nil {
		s.t.Fatalf("%+v", err)
	}
	return gw
}

// network is the channel, for the first organization's user.
func (s *session) network() *client.Network {
	return s.as("User1@" + first).GetNetwork(s.target.Channel)
}

// contract is a chaincode, for the first organization's user.
func (s *session) contract(name string) *client.Contract { return s.network().GetContract(name) }

// height is the height of the channel at the peer of an organization.
func (s *session) height(ctx context.Context, organization string) uint64 {
	b, err := s.as("User1@"+organization).GetNetwork(s.target.Channel).GetContract("qscc").
		EvaluateWithContext(ctx, "GetChainInfo", client.WithArguments(s.target.Channel))
	if err != nil {
		s.t.Fatalf("height of %s: %+v", organization, err)
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(b, &info); err != nil {
		s.t.Fatalf("height of %s: %+v", organization, err)
	}
	return info.GetHeight()
}

// level waits until both peers have the same blocks, and returns how many.
func (s *session) level(ctx context.Context) uint64 {
	for {
		one, two := s.height(ctx, first), s.height(ctx, second)
		if one == two {
			return one
		}
		if err := pause(ctx); err != nil {
			s.t.Fatalf("heights are %d and %d: %v", one, two, err)
		}
	}
}

// ready waits until both peers find who endorses: what they know of each other comes after the chaincodes' definitions.
func (s *session) ready() {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	for _, organization := range []string{first, second} {
		for _, chaincode := range program.Chaincodes() {
			contract := s.as("User1@" + organization).GetNetwork(s.target.Channel).GetContract(chaincode.Name)
			for {
				p, err := contract.NewProposal("put", client.WithArguments("ready", organization))
				if err == nil {
					_, err = p.EndorseWithContext(ctx)
				}
				if err == nil {
					break
				}
				if pause(ctx) != nil {
					s.t.Fatalf("endorse %s by %s: %v", chaincode.Name, organization, err)
				}
			}
		}
	}
}

// pause waits a moment before something is tried again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.WithStack(ctx.Err())
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}
