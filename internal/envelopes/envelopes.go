// Package envelopes makes a table of transactions, with the validation code that a peer of Fabric gives to each. Most are wrong
// in one way. The same table is tried on package committer and on real networks of Fabric.
//
//	rows, err := envelopes.Table(cfg)
//	for _, step := range rows[0].Steps { // send step.Envelopes as a block, wait until it is committed, compare with step.Want
//
// The rows need no chaincode that runs. What an endorser would answer is made here, with the keys of the peers, because half of
// the rows are answers that no honest endorser gives. So all that a network must have is two organizations, and the definitions
// that Config names. Rows don't depend on each other, and a table has keys of its own, so it can be tried on a channel that has
// data, and any number of times.
package envelopes

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
)

// Config says for which channel the rows are. All fields are required.
type Config struct {
	// ChannelID is the channel.
	ChannelID string
	// Both is a chaincode whose endorsement policy is BothPolicy. It has a collection "shared" without a policy of its own, and
	// a collection "first" whose endorsement policy is FirstPolicy. Members of both are both organizations.
	Both string
	// Either is a chaincode whose endorsement policy is EitherPolicy.
	Either string
	// Version is the version of both chaincodes.
	Version string
	// Client is a client of the first organization, who may write to the channel. Peer1 and Peer2 are a peer of each. The
	// organizations have NodeOUs.
	Client, Peer1, Peer2 *identity.Identity
}

// The collections of Config.Both.
const (
	SharedCollection = "shared"
	FirstCollection  = "first"
)

// BothPolicy is the endorsement policy of Config.Both: a peer of each organization.
func (c Config) BothPolicy() string {
	return fmt.Sprintf("AND('%s.peer', '%s.peer')", c.Peer1.MSPID(), c.Peer2.MSPID())
}

// EitherPolicy is the endorsement policy of Config.Either: a peer of one of them.
func (c Config) EitherPolicy() string {
	return fmt.Sprintf("OR('%s.peer', '%s.peer')", c.Peer1.MSPID(), c.Peer2.MSPID())
}

// FirstPolicy is the endorsement policy of the collection "first": a peer of the first organization.
func (c Config) FirstPolicy() string { return fmt.Sprintf("OR('%s.peer')", c.Peer1.MSPID()) }

func (c Config) check() error {
	for name, missing := range map[string]bool{
		"ChannelID": c.ChannelID == "", "Both": c.Both == "", "Either": c.Either == "", "Version": c.Version == "",
		"Client": c.Client == nil, "Peer1": c.Peer1 == nil, "Peer2": c.Peer2 == nil,
	} {
		if missing {
			return errors.Errorf("Config.%s is missing", name)
		}
	}
	if c.Peer1.MSPID() == c.Peer2.MSPID() {
		return errors.Errorf("Config.Peer1 and Config.Peer2 are both of %s", c.Peer1.MSPID())
	}
	return nil
}

// Row is something that can be wrong with a transaction, or looks as if it were.
type Row struct {
	// Name says what. It is unique.
	Name string
	// Steps are blocks, one after the other. There is nothing else in them.
	Steps []Step
	// Refused says that an ordering service of Fabric doesn't take one of the envelopes, or may not, so that a peer doesn't
	// see it.
	Refused bool
	// Danger says what a peer of Fabric does with it instead of giving a code. Such rows must not be sent to one. The codes
	// are then ours. It is empty for most.
	Danger string
	// Private says that a step is valid and has the hashes of private data that nobody has. A peer of Fabric looks for it as
	// long as peer.gossip.pvtData.pullRetryThreshold says, before it commits the block.
	Private bool
}

// What a peer of Fabric does with some envelopes instead.
const (
	Panics = "it panics"
	Halts  = "it commits no more blocks of the channel"
)

// Step is a block.
type Step struct {
	// Envelopes are the block's, marshalled.
	Envelopes [][]byte
	// Want are their codes, by Fabric's names.
	Want []string
}

// The names of Fabric's codes (peer/transaction.proto, TxValidationCode).
const (
	valid            = "VALID"
	badPayload       = "BAD_PAYLOAD"
	badHeader        = "BAD_COMMON_HEADER"
	badCreator       = "BAD_CREATOR_SIGNATURE"
	invalidTx        = "INVALID_ENDORSER_TRANSACTION"
	invalidConfig    = "INVALID_CONFIG_TRANSACTION"
	unsupported      = "UNSUPPORTED_TX_PAYLOAD"
	badTxID          = "BAD_PROPOSAL_TXID"
	duplicate        = "DUPLICATE_TXID"
	notEndorsed      = "ENDORSEMENT_POLICY_FAILURE"
	readConflict     = "MVCC_READ_CONFLICT"
	phantom          = "PHANTOM_READ_CONFLICT"
	otherChannel     = "TARGET_CHAIN_NOT_FOUND"
	badExtension     = "BAD_HEADER_EXTENSION"
	badResponse      = "BAD_RESPONSE_PAYLOAD"
	badRWSet         = "BAD_RWSET"
	illegalWrites    = "ILLEGAL_WRITESET"
	invalidChaincode = "INVALID_CHAINCODE"
	otherReason      = "INVALID_OTHER_REASON"
)

// Table returns all rows.
func Table(cfg Config) ([]Row, error) {
	if err := cfg.check(); err != nil {
		return nil, errors.WithMessage(err, "make table of envelopes")
	}
	t, err := newTable(cfg)
	if err != nil {
		return nil, errors.WithMessage(err, "make table of envelopes")
	}
	t.envelopeRows()
	t.headerRows()
	t.creatorRows()
	t.actionRows()
	t.chaincodeRows()
	t.namespaceRows()
	t.endorsementRows()
	t.collectionRows()
	t.keyRows()
	t.keyBlockRows()
	t.duplicateRows()
	t.conflictRows()
	if t.err != nil {
		return nil, errors.WithMessage(t.err, "make table of envelopes")
	}
	rows := make([]Row, len(t.rows))
	for i, r := range t.rows {
		rows[i] = *r
	}
	return rows, nil
}
