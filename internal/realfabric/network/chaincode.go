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

	"github.com/ccpeer/ccpeer/block"
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

// definition is a chaincode as the lifecycle has it.
type definition struct {
	name, policy string
	collections  []byte // a marshalled CollectionConfigPackage
	packageID    string
}

// defineChaincodes installs the chaincodes, serves them, and has both organizations agree to them.
func (n *Network) defineChaincodes(ctx context.Context) error {
	var definitions []definition
	for _, d := range []definition{{name: Both, policy: bothPolicy}, {name: Either, policy: eitherPolicy}} {
		var err error
		if d.packageID, err = n.install(ctx, d.name); err != nil {
			return err
		}
		definitions = append(definitions, d)
	}
	var err error
	if definitions[0].collections, err = collections(); err != nil {
		return err
	}
	return n.agree(ctx, definitions)
}

// install serves a chaincode from here, and tells the peers where.
func (n *Network) install(ctx context.Context, name string) (packageID string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.WithStack(err)
	}
	archive, err := archiveOf(map[string][]byte{"connection.json": fmt.Appendf(nil, `{"address":%q,"dial_timeout":"30s","tls_required":false}`, l.Addr())})
	if err != nil {
		return "", err
	}
	pkg, err := archiveOf(map[string][]byte{"metadata.json": fmt.Appendf(nil, `{"type":"ccaas","label":%q}`, name), "code.tar.gz": archive})
	if err != nil {
		return "", err
	}
	packageID = fmt.Sprintf("%s:%x", name, sha256.Sum256(pkg))
	n.serve(l, packageID)
	return packageID, n.each(func(o *Organization) error {
		return o.call(ctx, "_lifecycle", []byte("InstallChaincode"), message(nil).bytes(1, pkg))
	})
}

// serve serves a chaincode until the test ends.
func (n *Network) serve(l net.Listener, packageID string) {
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		err := shim.Serve(ctx, shim.ChaincodeServer{CCID: packageID, CC: chaincode{}, Listener: l, TLSProps: shim.TLSProperties{Disabled: true}})
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
	policy, err := applicationPolicy(d.policy)
	if err != nil {
		return nil, err
	}
	m := message(nil).varint(1, 1).text(2, d.name).text(3, Version).bytes(6, policy)
	if d.collections != nil {
		m = m.bytes(7, d.collections)
	}
	return m, nil
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

// collections are those of Both (peer/collection.proto).
func collections() (all message, err error) {
	members, err := applicationPolicy("OR('OrdererMSP.member')") // a CollectionPolicyConfig has the same form
	if err != nil {
		return nil, err
	}
	first, err := applicationPolicy(firstPolicy)
	if err != nil {
		return nil, err
	}
	for name, policy := range map[string][]byte{"shared": nil, "first": first} {
		static := message(nil).text(1, name).bytes(2, members).varint(4, 1)
		if policy != nil {
			static = static.bytes(8, policy)
		}
		all = all.bytes(1, message(nil).bytes(1, static))
	}
	return all, nil
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
	return errors.WithMessage(o.network.order(ctx, envelope), function)
}

// settle cuts a block, and waits until both peers have committed it. It is an error if any transaction in it is invalid.
func (n *Network) settle(ctx context.Context) error {
	if err := n.Cut(ctx); err != nil {
		return err
	}
	n.cuts++
	return n.each(func(o *Organization) error {
		b, err := o.block(ctx, n.cuts*2)
		if err != nil {
			return err
		}
		for i, code := range Codes(b) {
			if code != 0 {
				return errors.Errorf("transaction %d of block %d has code %d", i, b.GetHeader().GetNumber(), code)
			}
		}
		return nil
	})
}

// block waits until the organization's peer has committed a block, and returns it.
func (o *Organization) block(ctx context.Context, number uint64) (*pb.Block, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := o.Blocks(ctx, number)
	if err != nil {
		return nil, err
	}
	return blocks.Next()
}
