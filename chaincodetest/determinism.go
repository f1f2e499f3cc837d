package chaincodetest

import (
	"bytes"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

const advice = `
  Peers that run this would not agree, and the transaction would fail. Look for time.Now (GetTxTimestamp is the same on all
  peers), random numbers, the order of a map, and variables that keep something from one call to the next.`

// betweenPeers returns in what the peers' runs differ, or nothing.
func (o outcome) betweenPeers(own string) []string {
	var lines []string
	for i, other := range o.differ {
		if i > 0 {
			lines = append(lines, divergence(o.differ[0], other, own)...)
		}
	}
	return lines
}

// divergence returns in what two outcomes differ, a few lines for each thing, or nothing.
func divergence(a, b outcome, own string) []string {
	d := diverging{a: a.by, b: b.by}
	d.compare("status", fmt.Sprint(a.status), fmt.Sprint(b.status))
	d.compare("message", a.message, b.message)
	d.compareBytes("payload", a.payload, b.payload)
	switch {
	case (a.event == nil) != (b.event == nil):
		d.compare("event", eventName(a), eventName(b))
	case a.event != nil:
		d.compare("event", a.event.Name, b.event.Name)
		d.compareBytes("payload of the event", a.event.Payload, b.event.Payload)
	}
	refused := a.status >= shim.ERRORTHRESHOLD && (a.rwset == nil || b.rwset == nil) // an endorser doesn't always tell then
	if !refused && !bytes.Equal(a.rwset, b.rwset) {                                  // it has the hashes of private data
		d.compareSets(a, b, own)
	}
	return d.lines
}

func eventName(o outcome) string {
	if o.event == nil {
		return "none"
	}
	return o.event.Name
}

// diverging collects differences.
type diverging struct {
	a, b  string // what the two are called
	lines []string
}

func (d *diverging) compare(what, a, b string) {
	if a != b {
		width := max(len(d.a), len(d.b))
		d.lines = append(d.lines, what, fmt.Sprintf("  %-*s %s", width, d.a, a), fmt.Sprintf("  %-*s %s", width, d.b, b))
	}
}

func (d *diverging) compareBytes(what string, a, b []byte) {
	if bytes.Equal(a, b) {
		return
	}
	d.compare(what, show(a), show(b))
	x, isJSON := decodeJSON(a)
	y, alsoJSON := decodeJSON(b)
	if isJSON && alsoJSON && reflect.DeepEqual(x, y) {
		d.lines = append(d.lines, "  It is the same JSON, with its fields in another order.")
	}
}

// compareSets compares what was read and written, key by key.
func (d *diverging) compareSets(a, b outcome, own string) {
	before := len(d.lines)
	x, errA := decodeRWSet(a)
	y, errB := decodeRWSet(b)
	if errA == nil && errB == nil {
		for _, name := range namespaceNames(x, y) {
			prefix := ""
			if name != own {
				prefix = name + ": "
			}
			p, q := x.namespace(name), y.namespace(name)
			d.compareReads(prefix, p.public, q.public)
			d.compareWrites(prefix, p.public, q.public)
			for _, c := range collectionNames(p, q) {
				if v, w := x.collection(name, c), y.collection(name, c); v.isTold() && w.isTold() {
					d.compareWrites(prefix+"collection "+c+": ", v.privateWrites(), w.privateWrites())
				}
			}
		}
	}
	if len(d.lines) == before {
		d.lines = append(d.lines, "read/write set: the bytes differ, in ranges, metadata or hashes of private data")
	}
}

func (d *diverging) compareReads(prefix string, a, b *pb.KVRWSet) {
	keys := func(set *pb.KVRWSet) map[string]bool {
		all := map[string]bool{}
		for _, r := range set.GetReads() {
			all[r.GetKey()] = true
		}
		return all
	}
	x, y := keys(a), keys(b)
	for _, key := range sortedKeys(x, y) {
		if x[key] != y[key] {
			d.compare(prefix+"read of "+showKey(key), yes(x[key]), yes(y[key]))
		}
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (d *diverging) compareWrites(prefix string, a, b *pb.KVRWSet) {
	keys := func(set *pb.KVRWSet) map[string]*pb.KVWrite {
		all := map[string]*pb.KVWrite{}
		for _, w := range set.GetWrites() {
			all[w.GetKey()] = w
		}
		return all
	}
	x, y := keys(a), keys(b)
	for _, key := range sortedKeys(x, y) {
		v, w := x[key], y[key]
		switch what := prefix + "write of " + showKey(key); {
		case proto.Equal(v, w):
		case v == nil || w == nil || v.GetIsDelete() != w.GetIsDelete():
			d.compare(what, showWritten(v), showWritten(w))
		default:
			d.compareBytes(what, v.GetValue(), w.GetValue())
		}
	}
}

func showWritten(w *pb.KVWrite) string {
	switch {
	case w == nil:
		return "none"
	case w.GetIsDelete():
		return "a delete"
	default:
		return show(w.GetValue())
	}
}

func namespaceNames(a, b *rwset) []string {
	names := func(s *rwset) map[string]bool {
		all := map[string]bool{}
		for _, ns := range s.namespaces {
			all[ns.name] = true
		}
		return all
	}
	return sortedKeys(names(a), names(b))
}

func collectionNames(a, b *namespaceSet) []string {
	names := func(n *namespaceSet) map[string]bool {
		all := map[string]bool{}
		for _, c := range n.collections {
			all[c.name] = true
		}
		return all
	}
	return sortedKeys(names(a), names(b))
}

// isTold reports whether the private writes are known, and not only their hashes. A peer that isn't a member tells nobody.
func (c *collectionSet) isTold() bool {
	return c == nil || len(c.writes.GetWrites()) == len(c.hashed.GetHashedWrites())
}

func (c *collectionSet) privateWrites() *pb.KVRWSet {
	if c == nil {
		return nil
	}
	return c.writes
}
