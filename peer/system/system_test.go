package system_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/system"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger has two blocks, the transaction tx0 in the first one, and fails for everything about "broken".
type ledger struct{}

func (ledger) Info(context.Context) (*pb.BlockchainInfo, error) {
	return &pb.BlockchainInfo{Height: 2, CurrentBlockHash: []byte("hash1"), PreviousBlockHash: []byte("hash0")}, nil
}

func (ledger) Block(_ context.Context, number uint64) (*pb.Block, error) {
	switch {
	case number == 13:
		return nil, errors.New("disk is broken")
	case number > 1:
		return nil, errors.Wrap(system.ErrNotFound, "look")
	}
	return &pb.Block{Header: &pb.BlockHeader{Number: number}}, nil
}

func (l ledger) BlockByHash(ctx context.Context, hash []byte) (*pb.Block, error) {
	if !bytes.Equal(hash, []byte("hash1")) {
		return nil, system.ErrNotFound
	}
	return l.Block(ctx, 1)
}

func (l ledger) BlockByTxID(ctx context.Context, txID string) (*pb.Block, error) {
	if txID != "tx0" {
		return nil, system.ErrNotFound
	}
	return l.Block(ctx, 0)
}

func (ledger) Transaction(_ context.Context, txID string) (*pb.ProcessedTransaction, error) {
	if txID != "tx0" {
		return nil, system.ErrNotFound
	}
	return &pb.ProcessedTransaction{TransactionEnvelope: &pb.Envelope{Payload: []byte("p")}, ValidationCode: 11}, nil
}

// configuration is a block.
type configuration struct{ block *pb.Block }

func (c configuration) ConfigBlock(context.Context) (*pb.Block, error) {
	if c.block == nil {
		return nil, errors.New("it is lost")
	}
	return c.block, nil
}

// peer runs the chaincodes, and one that calls qscc.
type peer struct {
	t       testing.TB
	support *chaincodesupport.ChaincodeSupport
	alice   *identity.Identity
	asked   []acl.Request
	refuse  error
	joined  []string
}

// genesis is a config block. change makes it another one.
func genesis(t testing.TB, channelID string, change func(*pb.Header, *pb.ChannelHeader, *pb.ConfigEnvelope)) *pb.Block {
	t.Helper()
	header := &pb.Header{}
	ch := &pb.ChannelHeader{Type: int32(pb.HeaderType_CONFIG), ChannelId: channelID}
	config := &pb.ConfigEnvelope{Config: &pb.Config{Sequence: 3, ChannelGroup: &pb.ConfigGroup{Groups: map[string]*pb.ConfigGroup{"Application": {}}}}}
	if change != nil {
		change(header, ch, config)
	}
	header.ChannelHeader = marshal(t, ch)
	payload := &pb.Payload{Header: header, Data: marshal(t, config)}
	return &pb.Block{Header: &pb.BlockHeader{}, Data: &pb.BlockData{Data: [][]byte{marshal(t, &pb.Envelope{Payload: marshal(t, payload)})}}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// caller is chaincode that calls another one with its own arguments.
type caller struct{ name string }

func (caller) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (c caller) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	return stub.InvokeChaincode(c.name, stub.GetArgs(), "")
}

func newPeer(t testing.TB) *peer {
	t.Helper()
	p := &peer{t: t}
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	if p.alice, err = msp.Issue(identity.Config{CommonName: "alice"}); err != nil {
		t.Fatal(err)
	}
	channels := map[string]*system.Channel{
		"mychannel": {Ledger: ledger{}, Configuration: configuration{genesis(t, "mychannel", nil)}},
		"bare":      {Ledger: ledger{}}, "lost": {Ledger: ledger{}, Configuration: configuration{}},
		"odd": {Ledger: ledger{}, Configuration: configuration{&pb.Block{}}},
	}
	s, err := system.New(system.Config{
		Channel:    func(id string) *system.Channel { return channels[id] },
		ChannelIDs: func() []string { return []string{"bare", "mychannel"} },
		ACL: acl.CheckerFunc(func(_ context.Context, r acl.Request) error {
			p.asked = append(p.asked, r)
			return p.refuse
		}),
		Join: func(_ context.Context, channelID string, _ *pb.Block) error {
			p.joined = append(p.joined, channelID)
			if channelID == "full" {
				return errors.New("no room")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.support = support(t, s)
	return p
}

// support runs the chaincodes of s.
func support(t testing.TB, s *system.System) *chaincodesupport.ChaincodeSupport {
	t.Helper()
	cs, err := chaincodesupport.New(chaincodesupport.Config{
		Hooks: handler.Hooks{Builtins: system.Names()},
		Definitions: chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
			if d, ok := s.Definition(p.Namespace); ok {
				return d, nil
			}
			return chaincodesupport.Definition{ChaincodeID: p.Namespace}, nil
		}),
		Runtimes: chaincodesupport.RuntimesFunc(func(_ context.Context, id string) (runtime.Runtime, error) {
			if rt := s.Runtime(id); rt != nil {
				return rt, nil
			}
			return inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
				return shim.StartInProc(id, s, caller{strings.TrimPrefix(id, "calls-")})
			}), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cs.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return cs
}

// run calls a chaincode as a client that has called what the proposal says.
func (p *peer) run(name, proposed string, args ...string) *chaincodesupport.Result {
	p.t.Helper()
	r, err := p.try(name, proposed, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *peer) propose(chaincode string, args [][]byte) *identity.Proposal {
	p.t.Helper()
	proposal, err := identity.NewProposal(identity.ProposalParams{Chaincode: chaincode, Args: args, Signer: p.alice})
	if err != nil {
		p.t.Fatal(err)
	}
	return proposal
}

func (p *peer) try(name, proposed string, args ...string) (*chaincodesupport.Result, error) {
	p.t.Helper()
	var in chaincodesupport.Input
	for _, a := range args {
		in.Args = append(in.Args, []byte(a))
	}
	proposal := p.propose(proposed, in.Args)
	return p.support.Execute(p.t.Context(), name, handler.TxParams{TxID: proposal.TxID, SignedProposal: proposal.Signed}, in)
}

// isMessage checks a marshalled message. The text is protobuf's.
func isMessage(t *testing.T, b []byte, got proto.Message, text string) {
	t.Helper()
	want := got.ProtoReflect().New().Interface()
	if err := prototext.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(b, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %s", got, text)
	}
}

func TestQSCC(t *testing.T) {
	p := newPeer(t)
	for _, c := range []struct{ args, want string }{ // the texts of core/scc/qscc, query.go
		{"", "Incorrect number of arguments, 0"},
		{"GetChainInfo", "Incorrect number of arguments, 1"},
		{"GetBlockByNumber mychannel", "missing 3rd argument for GetBlockByNumber"},
		{"Other mychannel", "missing 3rd argument for Other"},
		{"GetChainInfo nochannel", "Invalid chain ID, nochannel"},
		{"GetChainInfo ", "Invalid chain ID, "},
		{"Other mychannel x", "Requested function Other not found."},
		{"GetTransactionByID mychannel tx7", "Failed to get transaction with id tx7, error no such transaction ID [tx7] in index"},
		{"GetBlockByTxID mychannel tx7", "Failed to get block for txID tx7, error no such transaction ID [tx7] in index"},
		{"GetBlockByNumber mychannel 7", "Failed to get block number 7, error no such block number [7] in index"},
		{"GetBlockByNumber mychannel 13", "Failed to get block number 13, error disk is broken"},
		{"GetBlockByNumber mychannel -1", `Failed to parse block number with error strconv.ParseUint: parsing "-1": invalid syntax`},
		{"GetBlockByNumber mychannel ", `Failed to parse block number with error strconv.ParseUint: parsing "": invalid syntax`},
		{"GetBlockByNumber mychannel 18446744073709551616", `Failed to parse block number with error strconv.ParseUint: parsing "18446744073709551616": value out of range`},
		{"GetBlockByHash mychannel ab", "Failed to get block hash ab, error no such block hash [6162] in index"},
		{"GetChainInfo mychannel", "height:2 currentBlockHash:\"hash1\" previousBlockHash:\"hash0\""},
		{"GetChainInfo mychannel more arguments", "height:2 currentBlockHash:\"hash1\" previousBlockHash:\"hash0\""},
		{"GetBlockByNumber mychannel 0", "header:{}"},
		{"GetBlockByNumber mychannel 18446744073709551615", "header:{number:1}"},
		{"GetBlockByHash mychannel hash1", "header:{number:1}"},
		{"GetBlockByTxID mychannel tx0", "header:{}"},
		{"GetTransactionByID mychannel tx0", "transactionEnvelope:{payload:\"p\"} validationCode:11"},
	} {
		p.refuse, p.asked = nil, nil
		args := arguments(c.args)
		r := p.run("qscc", "qscc", args...)
		if r.Status == 200 {
			got := map[string]proto.Message{"GetChainInfo": &pb.BlockchainInfo{}, "GetTransactionByID": &pb.ProcessedTransaction{}}[args[0]]
			if got == nil {
				got = &pb.Block{}
			}
			isMessage(t, r.Payload, got, c.want)
			continue
		}
		if r.Message != c.want || r.Status != 500 || r.Payload != nil {
			t.Errorf("%s: got %d %q, want %q", c.args, r.Status, r.Message, c.want)
		}
	}
}

// arguments are separated by spaces.
func arguments(s string) []string {
	if s == "" {
		return nil
	}
	if block, ok := strings.CutPrefix(s, "JoinChain "); ok {
		return []string{"JoinChain", block}
	}
	return strings.Split(s, " ")
}

// F214: what isn't there, or breaks, is told, and the next call is answered.
func TestCSCC(t *testing.T) {
	p := newPeer(t)
	joining := func(channelID string, change func(*pb.Header, *pb.ChannelHeader, *pb.ConfigEnvelope)) string {
		return "JoinChain " + string(marshal(t, genesis(t, channelID, change)))
	}
	invalid := "\"JoinChain\" for channelID = new failed because of validation of configuration block, because of "
	for _, c := range []struct{ args, want string }{ // the texts of core/scc/cscc, configure.go
		{"", "Incorrect number of arguments, 0"},
		{"GetConfigBlock", "Incorrect number of arguments, 1"},
		{"Other", "Incorrect number of arguments, 1"},
		{"Other x", "Requested function Other not found."},
		{"SimulateConfigTreeUpdate x", "Requested function SimulateConfigTreeUpdate not found."},
		{"GetConfigBlock nochannel", "Unknown channel ID, nochannel"},
		{"GetConfigBlock ", "Unknown channel ID, "},
		{"GetConfigBlock lost", "it is lost"},
		{"GetConfigBlock bare", "channel bare has no configuration"},
		{"GetChannelConfig nochannel", "unknown channel ID, nochannel"},
		{"GetChannelConfig ", "empty channel name provided"},
		{"GetChannelConfig lost", "it is lost"},
		{"GetChannelConfig bare", "channel bare has no configuration"},
		{"GetChannelConfig odd", "failed to retrieve channel id - block is empty"},
		{"JoinChainBySnapshot ", "Cannot join the channel, no snapshot directory provided"},
		{"JoinChainBySnapshot /tmp", "cannot create ledger from snapshot /tmp: this peer reads no snapshots"},
		{"JoinChain ", `"JoinChain" request failed to extract channel id from the block due to [failed to retrieve channel id - block is empty]`},
		{joining("mychannel", nil), "cannot create ledger from genesis block: ledger [mychannel] already exists with state [ACTIVE]"},
		{joining("full", nil), "cannot create ledger from genesis block: no room"},
		{joining("new", func(_ *pb.Header, h *pb.ChannelHeader, _ *pb.ConfigEnvelope) { h.Type = 3 }), invalid + "Bad configuration envelope: invalid type ENDORSER_TRANSACTION, expected CONFIG"},
		{joining("new", func(_ *pb.Header, _ *pb.ChannelHeader, e *pb.ConfigEnvelope) { e.Config = nil }), invalid + "Nil config envelope Config"},
		{joining("new", func(_ *pb.Header, _ *pb.ChannelHeader, e *pb.ConfigEnvelope) { e.Config.ChannelGroup = nil }), invalid + "Nil channel group"},
		{joining("new", func(_ *pb.Header, _ *pb.ChannelHeader, e *pb.ConfigEnvelope) { e.Config.ChannelGroup.Groups = nil }), invalid + "No channel configuration groups are available"},
		{joining("new", func(_ *pb.Header, _ *pb.ChannelHeader, e *pb.ConfigEnvelope) {
			e.Config.ChannelGroup.Groups = map[string]*pb.ConfigGroup{"Orderer": {}}
		}), invalid + "Invalid configuration block, missing Application configuration group"},
	} {
		if r := p.run("cscc", "cscc", arguments(c.args)...); r.Message != c.want || r.Status != 500 || r.Payload != nil {
			t.Errorf("%.40q: got %d %q, want %q", c.args, r.Status, r.Message, c.want)
		}
	}
	p.joined = nil
	if r := p.run("cscc", "cscc", arguments(joining("new", nil))...); r.Status != 200 || len(p.joined) != 1 || p.joined[0] != "new" {
		t.Errorf("join: %+v, %v", r, p.joined)
	}
	isMessage(t, p.run("cscc", "cscc", "GetChannels").Payload, &pb.ChannelQueryResponse{}, `channels:{channel_id:"bare"} channels:{channel_id:"mychannel"}`)
	isMessage(t, p.run("cscc", "cscc", "GetChannelConfig", "mychannel").Payload, &pb.Config{}, `sequence:3 channel_group:{groups:{key:"Application" value:{}}}`)
	if got := p.run("cscc", "cscc", "GetConfigBlock", "mychannel").Payload; !bytes.Equal(got, marshal(t, genesis(t, "mychannel", nil))) {
		t.Errorf("got %x", got)
	}
	if r := p.run("cscc", "cscc", "JoinBySnapshotStatus"); r.Status != 200 || len(r.Payload) != 0 {
		t.Errorf("%+v", r)
	}
}

// Who may call a function is asked before it runs, and with what the client has signed. What is wrong with the arguments comes first.
func TestACL(t *testing.T) {
	p := newPeer(t)
	p.refuse = errors.New("you are nobody")
	block := string(marshal(t, genesis(t, "new", nil)))
	for _, c := range []struct{ chaincode, args, resource, channelID, want string }{
		{"qscc", "GetChainInfo mychannel", "qscc/GetChainInfo", "mychannel", "access denied for [GetChainInfo][mychannel]: [you are nobody]"},
		{"qscc", "Other mychannel x", "qscc/Other", "mychannel", "access denied for [Other][mychannel]: [you are nobody]"},
		{"qscc", "GetChainInfo nochannel", "", "", "Invalid chain ID, nochannel"},
		{"cscc", "GetChannels", "cscc/GetChannels", "", "access denied for [GetChannels]: you are nobody"},
		{"cscc", "JoinBySnapshotStatus", "cscc/JoinBySnapshotStatus", "", "access denied for [JoinBySnapshotStatus]: you are nobody"},
		{"cscc", "GetConfigBlock nochannel", "cscc/GetConfigBlock", "nochannel", "access denied for [GetConfigBlock][nochannel]: you are nobody"},
		{"cscc", "GetChannelConfig mychannel", "cscc/GetChannelConfig", "mychannel", "access denied for [GetChannelConfig][mychannel]: you are nobody"},
		{"cscc", "JoinChain " + block, "cscc/JoinChain", "", "access denied for [JoinChain][new]: [you are nobody]"},
		{"cscc", "JoinChainBySnapshot x", "cscc/JoinChainBySnapshot", "", "access denied for [JoinChainBySnapshot]: [you are nobody]"},
	} {
		p.asked = nil
		if r := p.run(c.chaincode, c.chaincode, arguments(c.args)...); r.Message != c.want || r.Status != 500 {
			t.Errorf("%.40q: got %d %q, want %q", c.args, r.Status, r.Message, c.want)
		}
		switch {
		case c.resource == "" && len(p.asked) == 0:
		case len(p.asked) != 1 || p.asked[0].Resource != c.resource || p.asked[0].ChannelID != c.channelID ||
			!bytes.Equal(p.asked[0].Identity, p.alice.Creator()) || len(p.asked[0].Data) == 0 || len(p.asked[0].Signature) == 0:
			t.Errorf("%.40q: asked for %+v", c.args, p.asked)
		}
	}
}

// F212: other chaincode can't call them. It is the client's own call that tells.
func TestCalledByChaincode(t *testing.T) {
	p := newPeer(t)
	for name, want := range map[string]string{
		"qscc": "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, original invocation for 'calls-qscc'",
		"cscc": "Rejecting invoke of CSCC from another chaincode, original invocation for 'calls-cscc'",
	} {
		if r := p.run("calls-"+name, "calls-"+name, "GetChannels", "mychannel"); r.Message != want || r.Status != 500 {
			t.Errorf("got %+v, want %q", r, want)
		}
	}
}

// F213: a hash that is no text can't be in the answer's message, as in Fabric, where the shim fails on it.
func TestHashThatIsNoText(t *testing.T) {
	p := newPeer(t)
	r, err := p.try("qscc", "qscc", "GetBlockByHash", "mychannel", "\xff\xfe")
	if err == nil {
		t.Fatalf("%+v", r)
	}
	isNoText(t, err)
	if r := p.run("qscc", "qscc", "GetChainInfo", "mychannel"); r.Status != 200 {
		t.Errorf("after that: %+v", r)
	}
}

func isNoText(t *testing.T, err error) {
	t.Helper()
	if !strings.Contains(err.Error(), "invalid UTF-8") {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	s, err := system.New(system.Config{})
	if err == nil {
		t.Errorf("%v", s)
	}
	for _, name := range append(system.Names(), "lscc", "escc", "vscc", "_lifecycle") {
		if !system.IsReserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	if system.IsReserved("asset") {
		t.Error("asset is reserved")
	}
	if s, err = system.New(system.Config{
		Channel: func(string) *system.Channel { return nil }, ChannelIDs: func() []string { return nil },
		ACL: acl.CheckerFunc(func(context.Context, acl.Request) error { return nil }),
	}); err != nil {
		t.Fatal(err)
	}
	if d, ok := s.Definition("asset"); ok {
		t.Errorf("%+v", d)
	}
	if rt := s.Runtime("asset:1"); rt != nil {
		t.Errorf("%v", rt)
	}
}
