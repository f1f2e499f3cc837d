package network

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// The chaincodes of a network. They are the same program: it puts its second argument under its first one, and returns what was
// there before.
const (
	// Both needs the endorsement of a peer of each organization. It has the collections "shared" and "first". The latter has an
	// endorsement policy of its own: a peer of the first organization. No peer is a member of them, so none looks for private data
	// that nobody has: it would take 6 s for each block.
	Both = "both"
	// Either needs that of a peer of one of them.
	Either = "either"
	// Version is the version of both.
	Version = "1.0"
)

const (
	bothPolicy   = "AND('Org1MSP.peer', 'Org2MSP.peer')"
	eitherPolicy = "OR('Org1MSP.peer', 'Org2MSP.peer')"
	firstPolicy  = "OR('Org1MSP.peer')"
)

// Puts is the program of Both and Either.
func Puts() shim.Chaincode { return chaincode{} }

type chaincode struct{}

func (chaincode) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (chaincode) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	args := stub.GetStringArgs()
	if len(args) != 2 {
		return shim.Error("want a key and a value")
	}
	before, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.PutState(args[0], []byte(args[1])); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(before)
}

// Chaincode is a chaincode that a network has.
type Chaincode struct {
	// Name is its name. Its version is Version.
	Name string
	// Endorsement is its endorsement policy, which is a signature policy.
	Endorsement string
	// Collections are its collections.
	Collections []ledger.CollectionConfig
	// Policies are the endorsement policies of collections that have one, by their names.
	Policies map[string]string
	// Program is what runs, for both peers.
	Program shim.Chaincode
}

// chaincodes are those of a network that nothing is said of.
func chaincodes() []Chaincode {
	const members = "OR('OrdererMSP.member')"
	return []Chaincode{
		{
			Name: Both, Endorsement: bothPolicy, Program: chaincode{}, Policies: map[string]string{"first": firstPolicy},
			Collections: []ledger.CollectionConfig{{Name: "shared", Policy: members, MaxPeerCount: 1}, {Name: "first", Policy: members, MaxPeerCount: 1}},
		},
		{Name: Either, Endorsement: eitherPolicy, Program: chaincode{}},
	}
}

// definition is a chaincode as the lifecycle has it.
type definition struct {
	Chaincode
	packageID string
}

// defineChaincodes installs the chaincodes, serves them, and has both organizations agree to them.
func (n *Network) defineChaincodes(ctx context.Context) error {
	var definitions []definition
	for _, cc := range n.cfg.Chaincodes {
		packageID, err := n.install(ctx, cc)
		if err != nil {
			return err
		}
		definitions = append(definitions, definition{cc, packageID})
	}
	return n.agree(ctx, definitions)
}

// install serves a chaincode from here, and tells the peers where.
func (n *Network) install(ctx context.Context, cc Chaincode) (packageID string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.WithStack(err)
	}
	archive, err := archiveOf(map[string][]byte{"connection.json": fmt.Appendf(nil, `{"address":%q,"dial_timeout":"30s","tls_required":false}`, l.Addr())})
	if err != nil {
		return "", err
	}
	pkg, err := archiveOf(map[string][]byte{"metadata.json": fmt.Appendf(nil, `{"type":"ccaas","label":%q}`, cc.Name), "code.tar.gz": archive})
	if err != nil {
		return "", err
	}
	packageID = fmt.Sprintf("%s:%x", cc.Name, sha256.Sum256(pkg))
	n.serve(l, packageID, cc.Program)
	return packageID, n.each(func(o *Organization) error {
		return o.call(ctx, "_lifecycle", []byte("InstallChaincode"), message(nil).bytes(1, pkg))
	})
}

// serve serves a chaincode until the test ends.
func (n *Network) serve(l net.Listener, packageID string, program shim.Chaincode) {
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		err := shim.Serve(ctx, shim.ChaincodeServer{CCID: packageID, CC: program, Listener: l, TLSProps: shim.TLSProperties{Disabled: true}})
		if err != nil && ctx.Err() == nil {
			n.t.Error(err)
		}
	})
	n.t.Cleanup(func() {
		cancel()
		served.Wait()
	})
}

// archiveOf is a tar.gz of files.
func archiveOf(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	w := tar.NewWriter(compressed)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return nil, errors.WithStack(err)
		}
		if _, err := w.Write(text); err != nil {
			return nil, errors.WithStack(err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, errors.WithStack(err)
	}
	err := compressed.Close()
	return b.Bytes(), errors.WithStack(err)
}

// agree has both organizations approve definitions, and commits them. Each of it is a block.
func (n *Network) agree(ctx context.Context, definitions []definition) error {
	first := n.Organizations[0]
	for _, d := range definitions {
		definition, err := d.message()
		if err != nil {
			return err
		}
		local := message(nil).bytes(2, message(nil).text(1, d.packageID)) // ChaincodeSource.local_package
		approval := append(definition[:len(definition):len(definition)], message(nil).bytes(9, local)...)
		if err := n.each(func(o *Organization) error { return o.submit(ctx, "ApproveChaincodeDefinitionForMyOrg", approval, o) }); err != nil {
			return err
		}
	}
	if err := n.settle(ctx); err != nil {
		return err
	}
	for _, d := range definitions {
		definition, err := d.message()
		if err != nil {
			return err
		}
		if err := first.submit(ctx, "CommitChaincodeDefinition", definition, n.Organizations[:]...); err != nil {
			return err
		}
	}
	return n.settle(ctx)
}

// message is what ApproveChaincodeDefinitionForMyOrgArgs and CommitChaincodeDefinitionArgs have in common (peer/lifecycle).
func (d definition) message() (message, error) {
	policy, err := applicationPolicy(d.Endorsement)
	if err != nil {
		return nil, err
	}
	m := message(nil).varint(1, 1).text(2, d.Name).text(3, Version).bytes(6, policy)
	if len(d.Collections) == 0 {
		return m, nil
	}
	var all message // peer/collection.proto
	for _, c := range d.Collections {
		static, err := collection(c, d.Policies[c.Name])
		if err != nil {
			return nil, err
		}
		all = all.bytes(1, message(nil).bytes(1, static))
	}
	return m.bytes(7, all), nil
}

// applicationPolicy is an ApplicationPolicy that is a signature policy.
func applicationPolicy(text string) ([]byte, error) {
	p, err := policies.Parse(text)
	if err != nil {
		return nil, err
	}
	b, err := p.Marshal()
	return message(nil).bytes(1, b), err
}

// collection is a StaticCollectionConfig.
func collection(c ledger.CollectionConfig, endorsement string) (message, error) {
	members, err := applicationPolicy(c.Policy) // a CollectionPolicyConfig has the same form
	if err != nil {
		return nil, err
	}
	m := message(nil).text(1, c.Name).bytes(2, members)
	for i, v := range []uint64{uint64(c.RequiredPeerCount), uint64(c.MaxPeerCount), c.BlockToLive, number(c.MemberOnlyRead), number(c.MemberOnlyWrite)} { //nolint:gosec // counts aren't negative
		if v != 0 {
			m = m.varint(protowire.Number(3+i), v)
		}
	}
	if endorsement == "" {
		return m, nil
	}
	policy, err := applicationPolicy(endorsement)
	return m.bytes(8, policy), err
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// submit has the organization's administrator call a function of the lifecycle on the channel, and the orderer take what came of it.
func (o *Organization) submit(ctx context.Context, function string, args []byte, by ...*Organization) error {
	p, responses, err := o.propose(ctx, ChannelID, "_lifecycle", [][]byte{[]byte(function), args}, by...)
	if err != nil {
		return errors.WithMessage(err, function)
	}
	envelope, err := block.NewTransaction(p.Signed, responses, o.Admin)
	if err != nil {
		return errors.WithMessage(err, function)
	}
	o.network.submitted.add(p.TxID)
	return errors.WithMessage(o.network.order(ctx, envelope), function)
}

// submissions are transactions that were sent to the orderer. They are safe for concurrent use.
type submissions struct {
	mu   sync.Mutex
	txID []string
}

func (s *submissions) add(txID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txID = append(s.txID, txID)
}

func (s *submissions) take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := map[string]bool{}
	for _, id := range s.txID {
		taken[id] = true
	}
	s.txID = nil
	return taken
}

// settle has the orderer cut a block, and waits until both peers have committed what was submitted. It is an error if any of it is
// invalid.
func (n *Network) settle(ctx context.Context) error {
	if err := n.Cut(ctx); err != nil {
		return err
	}
	waiting := n.submitted.take()
	return n.each(func(o *Organization) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		blocks, err := o.Blocks(ctx, 1)
		if err != nil {
			return err
		}
		for seen := 0; seen < len(waiting); {
			b, err := blocks.Next()
			if err != nil {
				return err
			}
			codes := Codes(b)
			for i, envelope := range b.GetData().GetData() {
				switch id := txID(envelope); {
				case !waiting[id]:
				case codes[i] != 0:
					return errors.Errorf("transaction %s in block %d has code %d", id, b.GetHeader().GetNumber(), codes[i])
				default:
					seen++
				}
			}
		}
		return nil
	})
}

// txID returns the transaction ID that an envelope says it has.
func txID(envelope []byte) string {
	var (
		e       pb.Envelope
		payload pb.Payload
		header  pb.ChannelHeader
	)
	if proto.Unmarshal(envelope, &e) != nil || proto.Unmarshal(e.GetPayload(), &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) != nil {
		return ""
	}
	return header.GetTxId()
}
