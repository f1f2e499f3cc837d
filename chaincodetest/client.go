package chaincodetest

import (
	"context"
	"crypto/rand"
	"maps"
	"strings"

	"github.com/ccpeer/ccpeer/identity"
)

// Client is somebody who submits transactions. Net.As makes one. It is safe for concurrent use.
type Client struct {
	net       *Net
	name      string // alice@Org1MSP
	identity  *identity.Identity
	transient map[string][]byte
	isInit    bool
}

// As returns the client of a name and an organization, like alice@Org1MSP. Without an @ it is the first organization. Pairs of strings
// may follow: the names and values of the attributes that chaincode reads with package cid. The same name is the same identity, with
// the same certificate, in all tests of the network: without attributes it is whoever has that name already. Whoever is called admin is an administrator. A client of an organization that
// is not the network's is refused by its peers.
func (n *Net) As(who string, attributes ...string) *Client {
	n.t.Helper()
	name, mspID, ok := strings.Cut(who, "@")
	if !ok {
		mspID = n.settings.organizations[0]
	}
	if name == "" || mspID == "" {
		n.fatal("As(%q): want a name and an organization, like alice@%s", who, mspID)
	}
	if len(attributes)%2 != 0 {
		n.fatal("As(%q): attributes are pairs of a name and a value, and here are %d strings", who, len(attributes))
	}
	var pairs map[string]string // nil: those of whoever is there
	if len(attributes) > 0 {
		pairs = map[string]string{}
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		pairs[attributes[i]] = attributes[i+1]
	}
	id, err := n.backend.identity(name, mspID, pairs)
	if err != nil {
		n.fatal("As(%q): %v", who, err)
	}
	return &Client{net: n, name: name + "@" + mspID, identity: id}
}

// Name returns the name and the organization, like alice@Org1MSP.
func (c *Client) Name() string { return c.name }

// ID returns the client's ID as chaincode sees it (cid.GetID).
func (c *Client) ID() string { return c.identity.ID() }

// MSPID returns the ID of the client's organization.
func (c *Client) MSPID() string { return c.identity.MSPID() }

// In returns the same client for a subtest, which then is what fails.
func (c *Client) In(n *Net) *Client {
	in := *c
	in.net = n
	return &in
}

// Transient returns the same client with a value in the transient map of what it submits. The value is converted as arguments
// are. It may be called several times.
//
//	alice.Transient("asset", Asset{ID: "a1"}).Submit("basic", "Create").OK()
func (c *Client) Transient(name string, value any) *Client {
	c.net.t.Helper()
	b, err := toBytes(value)
	if err != nil {
		c.net.fatal("Transient(%q): %v", name, err)
	}
	with := *c
	with.transient = maps.Clone(c.transient)
	if with.transient == nil {
		with.transient = map[string][]byte{}
	}
	with.transient[name] = b
	return &with
}

// AsInit returns the same client, whose transactions call the chaincode's Init instead of Invoke. It is for chaincode that was
// deployed with InitRequired.
func (c *Client) AsInit() *Client {
	with := *c
	with.isInit = true
	return &with
}

// Submit runs a function of a chaincode, and commits what it has written, as a block of its own. If the chaincode refuses, nothing
// is committed. The arguments are converted to bytes: strings and byte slices as they are, numbers and booleans in decimal and as
// true or false, what has a MarshalText method by it, and anything else as JSON.
func (c *Client) Submit(chaincode, function string, args ...any) *Tx {
	c.net.t.Helper()
	tx := c.simulate("submitted", chaincode, function, args)
	if tx.failure() == "" {
		c.net.commit(tx)
	}
	return tx
}

// Simulate runs a function of a chaincode, as Submit does, but leaves it to Net.Commit to commit what it has written.
func (c *Client) Simulate(chaincode, function string, args ...any) *Tx {
	c.net.t.Helper()
	return c.simulate("simulated", chaincode, function, args)
}

// Evaluate runs a function of a chaincode, and commits nothing: a query.
func (c *Client) Evaluate(chaincode, function string, args ...any) *Tx {
	c.net.t.Helper()
	tx := c.prepare("evaluated", chaincode, function, args)
	tx.run(context.Background())
	tx.settle()
	return tx
}

func (c *Client) simulate(verb, chaincode, function string, args []any) *Tx {
	c.net.t.Helper()
	tx := c.prepare(verb, chaincode, function, args)
	runner{tx}.run(context.Background())
	tx.settle()
	return tx
}

// prepare makes a transaction that wasn't run yet.
func (c *Client) prepare(verb, chaincode, function string, args []any) *Tx {
	c.net.t.Helper()
	if c.net.deployed.find(chaincode) == nil {
		c.net.fatal("%s(%q): no chaincode of this name is deployed%s", function, chaincode, c.net.deployed.hint())
	}
	tx := &Tx{net: c.net, client: c, verb: verb, number: c.net.number(), chaincode: chaincode, function: function}
	tx.call = call{
		channel: c.net.channel, chaincode: chaincode, isInit: c.isInit, args: [][]byte{[]byte(function)}, transient: c.transient,
		who: c.identity, nonce: newNonce(), at: c.net.clock.read(), evaluate: verb == "evaluated",
	}
	for i, arg := range args {
		b, err := toBytes(arg)
		if err != nil {
			c.net.fatal("%s: argument %d: %v", function, i+1, err)
		}
		tx.call.args = append(tx.call.args, b)
	}
	tx.ID = tx.call.txID()
	return tx
}

// newNonce returns what makes a transaction's ID unique.
func newNonce() []byte {
	nonce := make([]byte, 24)
	_, _ = rand.Read(nonce) // it never fails
	return nonce
}
