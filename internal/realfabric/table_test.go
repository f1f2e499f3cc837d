package realfabric_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// expected is a block that the network is to make.
type expected struct {
	row  envelopes.Row
	step int
	want []string
}

// TestTable broadcasts the table of envelopes to a real network. Its orderer refuses what ours refuses, with the same status and
// text, and cuts the blocks that ours cuts. Its peers give the codes of the table, and so does our committer, given the blocks of the
// real orderer. Our ledger then has the commit hashes of theirs.
func TestTable(t *testing.T) {
	n := network.Start(t, bin)
	c := newChannelOf(t, n)
	rows, err := envelopes.Table(c.table)
	if err != nil {
		t.Fatal(err)
	}
	// These come last, because commit hashes differ from there on.
	slices.SortStableFunc(rows, func(a, b envelopes.Row) int { return len(stricter()[a.Name]) - len(stricter()[b.Name]) })
	want := c.broadcast(rows)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c.reorder(ctx, c.compare(ctx, want))
}

// stricter are rows of which our ledger says more than Fabric: read/write sets that no simulator makes.
func stricter() map[string]string {
	return map[string]string{"a read/write set of another data model": "BAD_RWSET", "a key that is written twice": "INVALID_WRITESET"}
}

// fatal are rows to which Fabric's validator gives a code, and that end the peer all the same: it looks for the collection's members,
// to get private data from them.
func fatal() map[string]bool {
	return map[string]bool{"undefined collection": true}
}

// broadcast sends the rows, and returns the blocks that they will be in. After each there is one that cuts it.
func (c *channelOf) broadcast(rows []envelopes.Row) (blocks []expected) {
	c.t.Helper()
	orderer := c.orderer(nil)
	refused := 0
	for _, row := range rows {
		if row.Danger != "" && !row.Refused || fatal()[row.Name] {
			continue
		}
		for i, step := range row.Steps {
			e := expected{row: row, step: i}
			for j, envelope := range step.Envelopes {
				if !c.same(row, orderer.Broadcast(c.t.Context(), envelope), envelope) {
					refused++
					continue
				}
				if row.Danger != "" {
					c.t.Fatalf("%s: the orderer takes it, which ends a peer: %s", row.Name, row.Danger)
				}
				e.want = append(e.want, step.Want[j])
			}
			if e.want == nil {
				continue
			}
			blocks = append(blocks, e)
			if err := c.network.Cut(c.t.Context()); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.t.Logf("%d blocks; %d envelopes are refused by the orderer", len(blocks), refused)
	if len(blocks) < 100 || refused < 15 {
		c.t.Error("that is too few to tell")
	}
	return blocks
}

// same broadcasts an envelope to the real orderer, and reports whether it takes it. It compares the answer with ours.
func (c *channelOf) same(row envelopes.Row, ours error, envelope []byte) (taken bool) {
	c.t.Helper()
	status, info, err := c.network.Broadcast(c.t.Context(), envelope)
	if taken = err == nil && status == network.Success; taken != (ours == nil) {
		c.t.Errorf("%s: Fabric's orderer answers %d, %s, %v, ours %v", row.Name, status, info, err, ours)
	}
	if taken || err != nil { // gRPC has refused bytes that are no envelope
		return taken
	}
	if !row.Refused {
		c.t.Errorf("%s: Fabric's orderer answers %d, %s", row.Name, status, info)
	}
	var refusal *ordering.Error
	if !errors.As(ours, &refusal) || int(refusal.Status) != status || essence(refusal.Text) != essence(info) {
		c.t.Errorf("%s: Fabric's orderer answers %d, %s, ours %v", row.Name, status, info, ours)
	}
	return taken
}

// essence is a text without what may differ: the words of protobuf's libraries, and those about what our orderer doesn't do.
func essence(text string) string {
	text, _, _ = strings.Cut(text, "proto:")
	text, _, _ = strings.Cut(text, "existing channel '"+network.ChannelID+"': ")
	return text
}

// compare reads the blocks of both peers, and commits them to a ledger of ours. It returns them.
func (c *channelOf) compare(ctx context.Context, want []expected) (blocks []*pb.Block) {
	c.t.Helper()
	var peers []*network.Blocks
	for _, o := range c.network.Organizations {
		blocks, err := o.Blocks(ctx, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		peers = append(peers, blocks)
	}
	ledger, ours := c.ledger()
	equal, different := 0, false
	for number := uint64(0); len(want) > 0; number++ {
		b, codes := c.next(peers)
		blocks = append(blocks, b)
		committed, err := ours.Commit(ctx, &pb.Block{Header: b.GetHeader(), Data: b.GetData(), Metadata: &pb.BlockMetadata{Metadata: make([][]byte, 5)}})
		if err != nil {
			c.t.Fatal(err)
		}
		name := "block"
		// The first blocks are of the network. From then on, each second block is one that cuts.
		if number >= firstOfTable && number%2 == 0 {
			e := want[0]
			want, name = want[1:], e.row.Name
			if !slices.Equal(codes, e.want) {
				c.t.Errorf("%s, step %d: Fabric's peers give %v, the table has %v", e.row.Name, e.step, codes, e.want)
			}
			if stricter()[e.row.Name] != "" {
				codes, different = []string{stricter()[e.row.Name]}, true
			}
		}
		if !slices.Equal(codes, namesOf(committed)) {
			c.t.Errorf("block %d, %s: Fabric's peers give %v, ours %v", number, name, codes, namesOf(committed))
		}
		if !different {
			if !c.sameHash(ctx, ledger, b) {
				c.t.Fatalf("block %d, %s: the commit hash is not Fabric's", number, name)
			}
			equal++
		}
	}
	c.t.Logf("%d commit hashes are equal", equal)
	if equal < 300 {
		c.t.Error("that is too few to tell")
	}
	return blocks
}

// reorder gives the envelopes of a real orderer's blocks to one of ours, which must make the same blocks of them.
func (c *channelOf) reorder(ctx context.Context, theirs []*pb.Block) {
	c.t.Helper()
	o := c.orderer(theirs[firstOfTable-1].GetHeader())
	ours, err := o.Deliver(ctx, network.ChannelID, firstOfTable)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, b := range theirs[firstOfTable:] {
		for _, envelope := range b.GetData().GetData() {
			if err := o.Broadcast(ctx, envelope); err != nil {
				c.t.Errorf("block %d: our orderer refuses an envelope: %v", b.GetHeader().GetNumber(), err)
			}
		}
	}
	o.Close()
	for _, b := range theirs[firstOfTable:] {
		own, err := ours.Next(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if !proto.Equal(own.GetHeader(), b.GetHeader()) {
			c.t.Fatalf("our block is %v, Fabric's %v", own.GetHeader(), b.GetHeader())
		}
		slot := pb.BlockMetadataIndex_LAST_CONFIG
		if !bytes.Equal(own.GetMetadata().GetMetadata()[slot], b.GetMetadata().GetMetadata()[slot]) {
			c.t.Errorf("block %d: LAST_CONFIG is %x, Fabric's %x", b.GetHeader().GetNumber(), own.GetMetadata().GetMetadata()[slot], b.GetMetadata().GetMetadata()[slot])
		}
	}
}

// firstOfTable is the number of the first block that TestTable has made. Those before it are of the network.
const firstOfTable = 6

// next returns the next block, and its codes, which must be the same with both peers.
func (c *channelOf) next(peers []*network.Blocks) (b *pb.Block, codes []string) {
	c.t.Helper()
	var first []byte
	for i, p := range peers {
		next, err := p.Next()
		if err != nil {
			c.t.Fatal(err)
		}
		if i == 0 {
			b, first = next, network.Codes(next)
		} else if !bytes.Equal(first, network.Codes(next)) {
			c.t.Errorf("block %d: one peer gives codes %v, another %v", b.GetHeader().GetNumber(), first, network.Codes(next))
		}
	}
	for _, code := range first {
		codes = append(codes, kvledger.ValidationCode(code).String())
	}
	return b, codes
}

func namesOf(codes []kvledger.ValidationCode) (names []string) {
	for _, c := range codes {
		names = append(names, c.String())
	}
	return names
}

// sameHash reports whether our ledger has a block with the commit hash that Fabric has.
func (c *channelOf) sameHash(ctx context.Context, ledger *kvledger.Ledger, theirs *pb.Block) bool {
	c.t.Helper()
	ours, err := ledger.Block(ctx, theirs.GetHeader().GetNumber())
	if err != nil {
		c.t.Fatal(err)
	}
	return bytes.Equal(ours.Metadata[pb.BlockMetadataIndex_COMMIT_HASH], theirs.GetMetadata().GetMetadata()[pb.BlockMetadataIndex_COMMIT_HASH])
}
