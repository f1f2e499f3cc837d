package handler_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// acl refuses with its text, or allows if it has none.
type acl string

func (a acl) CheckACL(_ context.Context, resource, channelID string, sp *pb.SignedProposal) error {
	switch {
	case sp == nil:
		return errors.New("the hook was asked without a proposal")
	case a == "":
		return nil
	}
	return errors.Errorf("%s: %s on %s", string(a), resource, channelID)
}

// collections are allowed to be read if there is an r, and to be written if there is a w. "error" is an error.
type collections string

func (c collections) CollectionPermission(_ context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	if c == "error" {
		return handler.CollectionPermission{}, errors.Errorf("collection %s/%s/%s could not be found", r.ChannelID, r.Namespace, r.Collection)
	}
	return handler.CollectionPermission{Read: strings.Contains(string(c), "r"), Write: strings.Contains(string(c), "w")}, nil
}

// capabilities are words: endorsement, purge. "none" is a channel without configuration.
type capabilities string

func (c capabilities) ApplicationCapabilities(string) (handler.ApplicationCapabilities, bool) {
	words := strings.Split(string(c), ",")
	return handler.ApplicationCapabilities{
		KeyLevelEndorsement: slices.Contains(words, "endorsement"),
		PurgePrivateData:    slices.Contains(words, "purge"),
	}, c != "none"
}

// builtin is the name of the only chaincode that belongs to the peer.
type builtin string

func (b builtin) IsBuiltin(name string) bool { return name == string(b) }

// counting counts what a CollectionStore is asked, and panics if it is told to.
type counting struct {
	asked []handler.CollectionRequest
	panic bool
}

func (c *counting) CollectionPermission(_ context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	if c.panic {
		panic("secret")
	}
	c.asked = append(c.asked, r)
	return handler.CollectionPermission{Read: true, Write: true}, nil
}

// The CollectionStore is asked once for each collection of a transaction, with what it needs to know.
func TestCollectionPermissionIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		store := &counting{}
		p.cfg.CollectionStore = store
		c := p.register("cc:1")
		for _, txID := range []string{"tx1", "tx2"} {
			x := c.begin(txID)
			for _, collection := range []string{"c1", "c2", "c1", "c2"} {
				c.Deliver(in(txID, getPrivate(collection, "k")))
				c.want(pb.ChaincodeMessage_RESPONSE, txID)
			}
			c.finish(t, txID, x)
		}
		c.stop()
		p.check()
		var asked []string
		for _, r := range store.asked {
			if r.SignedProposal == nil || r.Simulator == nil {
				t.Errorf("asked without proposal or simulator: %+v", r)
			}
			asked = append(asked, strings.Join([]string{r.ChannelID, r.TxID, r.Namespace, r.Collection}, " "))
		}
		if want := []string{"ch tx1 cc c1", "ch tx1 cc c2", "ch tx2 cc c1", "ch tx2 cc c2"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

// F82: a hook that panics is confined to its transaction.
func TestHookPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.CollectionStore = &counting{panic: true}
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.say("tx1", getPrivate("c", "k"), "panic during execution")
		c.complete("tx1")
		x.want(t, handler.ErrPoisoned)
		y := c.begin("tx2")
		c.finish(t, "tx2", y)
		c.stop()
		p.check()
	})
}
