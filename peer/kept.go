package peer

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// kept is what is written of a chaincode that was deployed.
type kept struct {
	Name         string `json:"name"`
	Sequence     int    `json:"sequence"`
	Version      string `json:"version"`
	ID           string `json:"id"`
	Endorsement  string `json:"endorsement"`
	InitRequired bool   `json:"initRequired"`
	InitOptional bool   `json:"initOptional,omitempty"`
	// AnyCollection is there only with a chaincode whose namespace gets no definition. Ledger is what they were told before.
	AnyCollection bool    `json:"anyCollection,omitempty"`
	Ledger        []since `json:"ledger"`
}

// since is what ledgers have been told of a chaincode from some block on. When a block expires private data depends on it, and
// so do the blocks that follow. So a peer that copies blocks is told the same at the same height.
type since struct {
	Height      uint64                    `json:"height"` // the first block that was committed with it
	Collections []ledger.CollectionConfig `json:"collections,omitempty"`
	Indexes     []kvledger.Index          `json:"indexes,omitempty"` // the last one's only: no block depends on them
}

func (s since) definition() kvledger.Definition {
	return kvledger.Definition{Collections: s.Collections, Indexes: s.Indexes}
}

// follow notes what ledgers were told before a definition, which is in force from a height on.
func (d *definition) follow(old *definition, height uint64) {
	if d.AnyCollection { // they are told nothing
		if old != nil {
			d.ledger = old.ledger
		}
		return
	}
	now := since{height, d.Collections, d.Indexes}
	d.ledger = nil
	if old != nil {
		for _, s := range old.ledger {
			if s.Height < height {
				d.ledger = append(d.ledger, since{s.Height, s.Collections, nil})
			}
		}
	}
	if last := len(d.ledger) - 1; last >= 0 && slices.Equal(d.ledger[last].Collections, now.Collections) {
		now.Height = d.ledger[last].Height
		d.ledger = d.ledger[:last]
	}
	d.ledger = append(d.ledger, now)
}

func (f folder) deployedFile(channelID string) string {
	return string(f.in("channels", channelID+".json"))
}

// keepDeployed writes what is deployed on a channel, with what is going to be, unless that is nil. If the process ends before
// all peers have that, the next start gives it to them.
func (f folder) keepDeployed(c *Channel, next *definition) error {
	path := f.deployedFile(c.cfg.ID)
	if path == "" {
		return nil
	}
	deployed := c.definitions.byNames()
	if next != nil {
		deployed[next.Name] = next
	}
	return writeDeployed(path, (&definitions{byName: deployed}).all())
}

func writeDeployed(path string, deployed []*definition) error {
	all := []kept{}
	for _, d := range deployed {
		all = append(all, kept{d.Name, d.sequence, d.Version, d.ID, d.Endorsement, d.InitRequired, d.InitOptional, d.AnyCollection, d.ledger})
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return errors.Wrap(err, "marshal what is deployed")
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errors.Wrap(err, "make folder")
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := writeSynced(path+".new", append(b, '\n')); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return errors.Wrap(err, "keep what is deployed")
	}
	return syncFolder(dir)
}

// readDeployed returns what was deployed on a channel before.
func (f folder) readDeployed(c *Channel) (deployed []*definition, err error) {
	path := f.deployedFile(c.cfg.ID)
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "read what was deployed")
	}
	var all []kept
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, errors.Wrapf(err, "parse %s", path)
	}
	for _, k := range all {
		d, err := c.definitions.restored(k)
		if err != nil {
			return nil, errors.WithMessagef(err, "chaincode %s of %s", k.Name, path)
		}
		deployed = append(deployed, d)
	}
	return deployed, nil
}

// restored returns a definition that was kept.
func (d *definitions) restored(k kept) (*definition, error) {
	cc := Chaincode{
		Name: k.Name, Version: k.Version, ID: k.ID, Endorsement: k.Endorsement,
		InitRequired: k.InitRequired, InitOptional: k.InitOptional, AnyCollection: k.AnyCollection,
	}
	if last := len(k.Ledger) - 1; last >= 0 && !k.AnyCollection {
		cc.Collections, cc.Indexes = k.Ledger[last].Collections, k.Ledger[last].Indexes
	}
	restored, err := d.next(cc)
	if err != nil {
		return nil, err
	}
	if len(k.Ledger) == 0 && !k.AnyCollection {
		return nil, errors.New("it doesn't say what ledgers were told")
	}
	restored.sequence, restored.ledger = k.Sequence, k.Ledger
	return restored, nil
}

// deployKept gives channels, which have come to a height, what was deployed on them before.
func (f folder) deployKept(ctx context.Context, channels []*Channel, height uint64, deployed []*definition) error {
	changed := false
	for _, d := range deployed {
		if len(d.ledger) == 0 {
			for _, c := range channels {
				c.definitions.put(d)
			}
			continue
		}
		if last := d.ledger[len(d.ledger)-1]; last.Height > height { // the stores were lost, and new blocks are committed with this one
			d.follow(&definition{ledger: d.ledger}, height)
			changed = true
		}
		for _, c := range channels {
			if err := c.ledger.Define(ctx, d.Name, d.ledger[len(d.ledger)-1].definition()); err != nil {
				return errors.WithMessage(err, c.peer.Name())
			}
			c.definitions.put(d)
		}
	}
	if !changed {
		return nil
	}
	return writeDeployed(f.deployedFile(channels[0].cfg.ID), deployed)
}
