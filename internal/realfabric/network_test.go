package realfabric_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// submit has chaincode Both run by a client, endorsed by both organizations.
func submit(t *testing.T, n *network.Network, args ...string) {
	t.Helper()
	params := identity.ProposalParams{ChannelID: network.ChannelID, Chaincode: network.Both, Signer: n.Organizations[0].User}
	for _, a := range args {
		params.Args = append(params.Args, []byte(a))
	}
	p, err := identity.NewProposal(params)
	if err != nil {
		t.Fatal(err)
	}
	var responses []*pb.ProposalResponse
	for _, o := range n.Organizations {
		r, err := o.Endorse(t.Context(), p.Signed)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, r)
	}
	envelope, err := block.NewTransaction(p.Signed, responses, n.Organizations[0].User)
	if err != nil {
		t.Fatal(err)
	}
	if status, info, err := n.Broadcast(t.Context(), envelope); err != nil || status != network.Success {
		t.Fatalf("broadcast: %d, %s, %v", status, info, err)
	}
}

// TestNetwork has a transaction of this repository's chaincode endorsed, ordered and committed by Fabric, and reads its blocks.
func TestNetwork(t *testing.T) {
	n := network.Start(t, bin)
	submit(t, n, "a", "1")
	submit(t, n, "a", "2") // it doesn't see the first one
	if err := n.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, o := range n.Organizations {
		blocks, err := o.Blocks(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var previous *pb.BlockHeader
		for number := range uint64(8) {
			b, err := blocks.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := block.Check(b, number, previous); err != nil {
				t.Error(err)
			}
			if codes := network.Codes(b); number == 6 && !bytes.Equal(codes, []byte{0, 11}) {
				t.Errorf("peer of %s gives codes %v", o.MSP.ID(), codes)
			}
			if number > 0 && !signedByOrderer(t, n, b) {
				t.Errorf("block %d is not signed by the orderer, in the form that ours signs", number)
			}
			previous = b.GetHeader()
		}
	}
}

// TestTarget reads what a network says of itself to clients: they can have every identity, and reach the servers.
func TestTarget(t *testing.T) {
	n := network.StartWith(t, bin, network.Config{
		MaxMessages: 1, PullTimeout: time.Minute,
		Chaincodes: []network.Chaincode{{Name: "own", Endorsement: "OR('Org1MSP.peer')", Program: own{}}},
	})
	path, err := n.WriteTarget(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	described, err := target.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(described.Chaincodes, []string{"own"}) || described.Channel != network.ChannelID || len(described.Organizations) != 2 {
		t.Errorf("the network is described as %+v", described)
	}
	for _, o := range described.Organizations {
		for _, name := range []string{"User1", "Admin", "Peer", "Expired", "Green"} {
			if _, err := identity.Load(o.MSPID, read(t, o.Users[name].Cert), read(t, o.Users[name].Key)); err != nil {
				t.Errorf("%s of %s: %v", name, o.MSPID, err)
			}
		}
		reach(t, o.Peer, o.ServerName, read(t, o.TLSRoot))
	}
	reach(t, described.Orderer.Address, described.Orderer.ServerName, read(t, described.Orderer.TLSRoot))
}

// own is a chaincode that answers.
type own struct{}

func (own) Init(shim.ChaincodeStubInterface) *pb.Response   { return shim.Success(nil) }
func (own) Invoke(shim.ChaincodeStubInterface) *pb.Response { return shim.Success([]byte("own")) }

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reach(t *testing.T, address, serverName string, root []byte) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Errorf("%s: %v", address, err)
		return
	}
	_ = conn.Close() // nothing was said
}

// signedByOrderer reports whether an orderer has signed a block, and what peer/ordering signs: the value, the signature's header, and the
// block's header.
func signedByOrderer(t *testing.T, n *network.Network, b *pb.Block) bool {
	t.Helper()
	var (
		m     pb.Metadata
		value pb.OrdererBlockMetadata
		by    pb.SignatureHeader
	)
	unmarshal(t, b.GetMetadata().GetMetadata()[pb.BlockMetadataIndex_SIGNATURES], &m)
	unmarshal(t, m.GetValue(), &value)
	if len(m.GetSignatures()) != 1 || value.GetLastConfig().GetIndex() != 0 {
		return false
	}
	signature := m.GetSignatures()[0]
	unmarshal(t, signature.GetSignatureHeader(), &by)
	v, err := identity.NewVerifier(n.OrdererMSP.Organization())
	if err != nil {
		t.Fatal(err)
	}
	orderer, err := v.Identify(by.GetCreator())
	if err != nil {
		t.Fatal(err)
	}
	header, err := block.HeaderBytes(b.GetHeader())
	if err != nil {
		t.Fatal(err)
	}
	return orderer.Verify(slices.Concat(m.GetValue(), signature.GetSignatureHeader(), header), signature.GetSignature()) == nil
}

func unmarshal(t *testing.T, b []byte, into proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}
