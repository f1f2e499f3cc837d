package committer_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestOneBlock tries the rows of one envelope in one block. So they are checked at the same time, and must not get in each other's
// way.
func TestOneBlock(t *testing.T) {
	for _, workers := range []int{1, 16} {
		n := newNetwork(t, func(n *network) { n.cfg.Workers = workers })
		n.commit(n.valid())
		var block [][]byte
		var rows, want []string
		for _, r := range n.rows() {
			if len(r.Steps) == 1 && len(r.Steps[0].Want) == 1 && stricter()[r.Name] == nil {
				block, rows, want = append(block, r.Steps[0].Envelopes[0]), append(rows, r.Name), append(want, r.Steps[0].Want[0])
			}
		}
		for i, got := range names(n.commit(block...)) {
			if got != want[i] {
				t.Errorf("%d workers, %s: %s, want %s", workers, rows[i], got, want[i])
			}
		}
	}
}

// secrets is private data that was kept, by the IDs of transactions.
type secrets struct {
	kept      map[string][]byte
	asked     []committer.CollectionHash
	forgotten []string
	err       error
}

func (s *secrets) PrivateRWSet(_ context.Context, txID string, wanted []committer.CollectionHash) ([]byte, error) {
	s.asked = append(s.asked, wanted...)
	return s.kept[txID], s.err
}

func (s *secrets) Forget(txIDs []string) { s.forgotten = append(s.forgotten, txIDs...) }

// Private data that was kept is committed. That of invalid transactions isn't asked for, but forgotten, too.
func TestPrivateData(t *testing.T) {
	s := &secrets{kept: map[string][]byte{}}
	n := newNetwork(t, func(n *network) { n.cfg.PrivateData = s })
	set, private := putsPrivately(t, "both", envelopes.SharedCollection, "k", "hidden")
	good, goodID := n.transaction("both", set, n.table.Peer1, n.table.Peer2)
	bad, badID := n.transaction("both", set, n.table.Peer1)
	public, _ := n.transaction("both", puts(t, "k"), n.table.Peer1, n.table.Peer2)
	s.kept[goodID] = private
	if got := fmt.Sprint(n.commit(good, bad, public)); got != "[VALID ENDORSEMENT_POLICY_FAILURE VALID]" {
		t.Error(got)
	}
	if !slices.Equal(s.forgotten, []string{goodID, badID}) {
		t.Errorf("%v are forgotten, want %s and %s", s.forgotten, goodID, badID)
	}
	if len(s.asked) != 1 || s.asked[0].Namespace != "both" || s.asked[0].Collection != envelopes.SharedCollection ||
		!bytes.Equal(s.asked[0].Hash, set.GetCollectionHashedRwset()[0].GetPvtRwsetHash()) {
		t.Errorf("asked for %v", s.asked)
	}
	sim, err := n.ledger.NewSimulator(t.Context(), "look")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	if value, err := sim.(ledger.PrivateState).GetPrivateData(t.Context(), "both", envelopes.SharedCollection, "k"); string(value) != "hidden" || err != nil {
		t.Errorf("private data is %q, %v", value, err)
	}
}

// configs accepts what fits.
type configs struct {
	err  error
	seen []string
}

func (c *configs) Configure(_ context.Context, b *pb.Block, position int, payload *pb.Payload) error {
	c.seen = append(c.seen, fmt.Sprintf("%d/%d %s", b.GetHeader().GetNumber(), position, payload.GetData()))
	return c.err
}

func TestConfigs(t *testing.T) {
	c := &configs{}
	n := newNetwork(t, func(n *network) { n.cfg.Configs = c })
	unsigned := n.configuration("genesis", nil)
	for i, step := range []struct {
		envelope []byte
		err      error
		want     string
	}{
		{unsigned, nil, "VALID"},
		{unsigned, nil, "BAD_COMMON_HEADER"}, // only block 0 may have that
		{n.configuration("next", n.table.Peer1), nil, "VALID"},
		{n.configuration("next", n.table.Peer1), nil, "VALID"}, // its ID is not what identifies it
		{n.configuration("", n.table.Peer1), nil, "VALID"},
		{n.configuration("last", n.table.Peer1), errors.Wrap(committer.ErrInvalidConfig, "sequence 1"), "INVALID_CONFIG_TRANSACTION"},
	} {
		c.err = step.err
		if got := names(n.commit(step.envelope)); !slices.Equal(got, []string{step.want}) {
			t.Errorf("%d: %v, want %s", i, got, step.want)
		}
	}
	if want := []string{"0/0 configuration", "2/0 configuration", "3/0 configuration", "4/0 configuration", "5/0 configuration"}; !slices.Equal(c.seen, want) {
		t.Errorf("seen %q, want %q", c.seen, want)
	}
	for _, id := range []string{"genesis", "next", "last"} {
		if _, err := n.ledger.Transaction(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	c.err = errors.New("disk is full")
	if _, err := n.committer.Commit(t.Context(), n.block(n.configuration("", n.table.Peer1))); !errors.Is(err, c.err) {
		t.Errorf("%v, want %v", err, c.err)
	}
}

// A block that isn't the next one, or isn't what it says, is not committed at all.
func TestBlockRefused(t *testing.T) {
	var unknown error
	n := newNetwork(t, func(n *network) { n.cfg.VerifyBlock = func(context.Context, *pb.Block) error { return unknown } })
	envelope := n.valid()
	changed := func(change func(b *pb.Block)) *pb.Block {
		b := n.block(envelope)
		change(b)
		return b
	}
	for want, b := range map[string]*pb.Block{
		"commit block 0 of channel mychannel: block has no header": {},
		"block has number 1, want 0":                               changed(func(b *pb.Block) { b.Header.Number = 1 }),
		"block has the data hash ":                                 changed(func(b *pb.Block) { b.Data.Data = append(b.Data.Data, envelope) }),
	} {
		if codes, err := n.committer.Commit(t.Context(), b); codes != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %s", codes, err, want)
		}
	}
	if _, err := n.committer.Commit(t.Context(), changed(func(b *pb.Block) { b.Header.PreviousHash = []byte("another block") })); err == nil || !strings.Contains(err.Error(), "previous hash") {
		t.Errorf("it follows another block: %v", err)
	}
	unknown = errors.New("who is that?")
	if _, err := n.committer.Commit(t.Context(), n.block(envelope)); !errors.Is(err, unknown) {
		t.Errorf("%v, want %v", err, unknown)
	}
	unknown = nil
	if got := fmt.Sprint(n.commit(envelope)); got != "[VALID]" {
		t.Error(got)
	}
}

// failing is a ledger of which one method fails.
type failing struct {
	*kvledger.Ledger
	method string
}

var errFailing = errors.New("it is broken")

func (f *failing) fail(method string) error {
	if f.method == method {
		return errFailing
	}
	return nil
}

func (f *failing) Height(ctx context.Context) (uint64, error) {
	if err := f.fail("Height"); err != nil {
		return 0, err
	}
	return f.Ledger.Height(ctx)
}

func (f *failing) TransactionCode(ctx context.Context, txID string) (kvledger.Version, kvledger.ValidationCode, error) {
	if err := f.fail("TransactionCode"); err != nil {
		return kvledger.Version{}, 0, err
	}
	return f.Ledger.TransactionCode(ctx, txID)
}

func (f *failing) KeyMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error) {
	if err := f.fail("KeyMetadata"); err != nil {
		return nil, err
	}
	return f.Ledger.KeyMetadata(ctx, namespace, key)
}

func (f *failing) PrivateKeyMetadata(ctx context.Context, namespace, collection string, keyHash []byte) (map[string][]byte, error) {
	if err := f.fail("PrivateKeyMetadata"); err != nil {
		return nil, err
	}
	return f.Ledger.PrivateKeyMetadata(ctx, namespace, collection, keyHash)
}

func (f *failing) Commit(ctx context.Context, b kvledger.Block) ([]kvledger.ValidationCode, error) {
	if err := f.fail("Commit"); err != nil {
		return nil, err
	}
	return f.Ledger.Commit(ctx, b)
}

// What keeps a block from being looked at gives no codes, and the block can be committed later.
func TestErrors(t *testing.T) {
	f, s := &failing{}, &secrets{}
	var undefined error
	n := newNetwork(t, func(n *network) {
		f.Ledger = n.ledger
		n.cfg.Ledger, n.cfg.PrivateData = f, s
		from := n.cfg.Definitions
		n.cfg.Definitions = committer.DefinitionsFunc(func(ctx context.Context, name string) (*committer.Definition, error) {
			if undefined != nil {
				return nil, undefined
			}
			return from.Definition(ctx, name)
		})
	})
	set, _ := putsPrivately(t, "both", envelopes.SharedCollection, "k", "v")
	private, _ := n.transaction("both", set, n.table.Peer1, n.table.Peer2)
	public, _ := n.transaction("both", puts(t, "k"), n.table.Peer1, n.table.Peer2)
	b := n.block(public, private)
	refused := func(what, want string) {
		t.Helper()
		if codes, err := n.committer.Commit(t.Context(), b); codes != nil || !errors.Is(err, errFailing) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", what, codes, err, want)
		}
	}
	for method, want := range map[string]string{
		"Height": "", "TransactionCode": "check transaction ", "KeyMetadata": "check transaction 0", "PrivateKeyMetadata": "check transaction 1", "Commit": "",
	} {
		f.method = method
		refused(method, want)
	}
	f.method, s.err = "", errFailing
	refused("PrivateRWSet", "look for the private data of transaction 1")
	s.err, undefined = nil, errFailing
	refused("Definition", `look for the definition of chaincode "both"`)
	undefined = nil
	if height, err := n.ledger.Height(t.Context()); height != 0 || err != nil || s.forgotten != nil || n.refusals != nil {
		t.Errorf("%d blocks, %v, forgotten %v, refused %v", height, err, s.forgotten, n.refusals)
	}
	if got := fmt.Sprint(n.commit(public, private)); got != "[VALID VALID]" {
		t.Error(got)
	}
}

// A definition without a policy would let everybody in.
func TestDefinitionWithoutPolicy(t *testing.T) {
	n := newNetwork(t, func(n *network) {
		n.cfg.Definitions = committer.DefinitionsFunc(func(context.Context, string) (*committer.Definition, error) { return &committer.Definition{}, nil })
	})
	if _, err := n.committer.Commit(t.Context(), n.block(n.valid())); err == nil || !strings.Contains(err.Error(), `the definition of chaincode "both" has no endorsement policy`) {
		t.Error(err)
	}
}

// The context ends what waits: for the block before, and for a hook.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	entered := make(chan struct{})
	n := newNetwork(t, func(n *network) {
		n.cfg.Definitions = committer.DefinitionsFunc(func(ctx context.Context, _ string) (*committer.Definition, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	b := n.block(n.valid())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := n.committer.Commit(ctx, b); !errors.Is(err, context.Canceled) {
			t.Errorf("a hook waits: %v", err)
		}
	})
	<-entered
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := n.committer.Commit(ended, b); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "wait for the block before") {
		t.Errorf("a block waits: %v", err)
	}
	cancel()
	waiting.Wait()
	for _, ctx := range []context.Context{ctx, ended} {
		if codes, err := n.committer.Commit(ctx, b); codes != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", codes, err)
		}
	}
}

// Whoever wants to know is told why a transaction is invalid. The log says it, too, but not without end.
func TestRefusals(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	n := newNetwork(t, func(n *network) { n.cfg.Logger = zap.New(core) })
	good := n.valid()
	under, underID := n.transaction("both", puts(t, "k"), n.table.Peer1)
	read, readID := n.transaction("either", &pb.NsReadWriteSet{Rwset: marshal(t, &pb.KVRWSet{Reads: []*pb.KVRead{{Key: "k", Version: &pb.Version{BlockNum: 7}}}})}, n.table.Peer1)
	n.commit(good, under, []byte{0xff}, read)
	want := []committer.Refusal{
		{Position: 1, TxID: underID, Code: kvledger.EndorsementPolicyFailure}, {Position: 2, Code: kvledger.InvalidOtherReason}, {Position: 3, TxID: readID, Code: kvledger.MVCCReadConflict},
	}
	texts := []string{`ENDORSEMENT_POLICY_FAILURE: policy of chaincode "both": signature set did not satisfy policy`, "INVALID_OTHER_REASON: decode Envelope", "MVCC_READ_CONFLICT"}
	if len(n.refusals) != len(want) {
		t.Fatalf("%v, want %v", n.refusals, want)
	}
	for i, r := range n.refusals {
		if !strings.HasPrefix(r.Error(), texts[i]) {
			t.Errorf("%v, want %s", r.Error(), texts[i])
		}
		if r.Reason = nil; r != want[i] {
			t.Errorf("%+v, want %+v", r, want[i])
		}
	}
	if lines := logs.FilterMessage("invalid transaction").All(); len(lines) != 3 || lines[0].ContextMap()["code"] != "ENDORSEMENT_POLICY_FAILURE" {
		t.Errorf("logged %v", lines)
	}
	many := make([][]byte, 1000)
	for i := range many {
		many[i] = []byte{0xff}
	}
	n.commit(many...)
	if lines := logs.FilterMessage("invalid transaction").Len(); lines > 30 {
		t.Errorf("%d lines for 1000 invalid transactions", lines)
	}
	blocks := logs.FilterMessage("committed block").All()
	if len(blocks) != 2 || blocks[0].ContextMap()["valid"] != int64(1) || blocks[0].LoggerName != "committer" {
		t.Errorf("logged %v", blocks)
	}
}

// An ID that the ledger would not take doesn't stop the channel.
func TestLongID(t *testing.T) {
	n := newNetwork(t, nil)
	var e pb.Envelope
	var p pb.Payload
	var c pb.ChannelHeader
	good := n.valid()
	for _, err := range []error{proto.Unmarshal(good, &e), proto.Unmarshal(e.GetPayload(), &p), proto.Unmarshal(p.GetHeader().GetChannelHeader(), &c)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.TxId = strings.Repeat("a", 1<<20)
	p.Header.ChannelHeader = marshal(t, &c)
	e.Payload = marshal(t, &p)
	var err error
	if e.Signature, err = n.table.Client.Sign(e.GetPayload()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(n.commit(marshal(t, &e), good)); got != "[BAD_PROPOSAL_TXID VALID]" {
		t.Error(got)
	}
}

// Without a policy of an organization, one of its members is enough for its implicit collection.
func TestImplicitCollection(t *testing.T) {
	n := newNetwork(t, func(n *network) { n.cfg.Organizations = nil })
	set, _ := putsPrivately(t, "both", "_implicit_org_Org1MSP", "k", "v")
	one, _ := n.transaction("both", set, n.table.Client)
	other, _ := n.transaction("both", set, n.table.Peer2)
	if got := fmt.Sprint(n.commit(one, other)); got != "[VALID ENDORSEMENT_POLICY_FAILURE]" {
		t.Error(got)
	}
}

func TestNewRefuses(t *testing.T) {
	n := newNetwork(t, nil)
	for want, change := range map[string]func(*committer.Config){
		"Config.ChannelID is missing":   func(c *committer.Config) { c.ChannelID = "" },
		"Config.Verifier is missing":    func(c *committer.Config) { c.Verifier = nil },
		"Config.Definitions is missing": func(c *committer.Config) { c.Definitions = nil },
		"Config.Ledger is missing":      func(c *committer.Config) { c.Ledger = nil },
		"Config.Workers is -1":          func(c *committer.Config) { c.Workers = -1 },
	} {
		cfg := n.cfg
		change(&cfg)
		if _, err := committer.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
