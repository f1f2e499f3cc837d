package chaincodetest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// fail fails the test: first what was expected, then all that is known of the transaction.
func (tx *Tx) fail(expected string, details ...string) {
	tx.net.t.Helper()
	text := tx.name() + ": " + expected
	if len(details) > 0 {
		text += "\n" + indent(details)
	}
	tx.net.t.Fatalf("%s\n%s", text, tx.report())
}

// OK expects that the transaction has succeeded and, if it was submitted, that it was committed as valid.
func (tx *Tx) OK() *Tx {
	tx.net.t.Helper()
	tx.asked.Store(true)
	if why := tx.failure(); why != "" {
		tx.fail("want OK, got " + why)
	}
	return tx
}

// Fails expects that the transaction has failed, with a text that has this in it: the chaincode's message, an error of the peer,
// or the name of a validation code. An empty text is any failure.
func (tx *Tx) Fails(text string) *Tx {
	tx.net.t.Helper()
	tx.asked.Store(true)
	switch why := tx.failure(); {
	case why == "":
		tx.fail(fmt.Sprintf("want it to fail with %q, but it succeeded", text))
	case !strings.Contains(tx.message(), text):
		tx.fail("it failed, but not as expected", "want a message with  "+text, "got                  "+tx.message())
	}
	return tx
}

// Status expects a status, such as 404, for chaincode that tells failures apart by it. If it is one of success, and the transaction was
// submitted, it expects that it was committed as valid, too.
func (tx *Tx) Status(status int32) *Tx {
	tx.net.t.Helper()
	tx.asked.Store(true)
	if tx.outcome.err != nil {
		tx.fail(fmt.Sprintf("want status %d, got no answer: %v", status, tx.outcome.err))
	}
	if tx.outcome.status != status {
		tx.fail(fmt.Sprintf("want status %d, got status %d: %s", status, tx.outcome.status, tx.outcome.message))
	}
	if status < shim.ERRORTHRESHOLD && tx.committed && tx.code != kvledger.Valid {
		tx.fail(fmt.Sprintf("want status %d, got it, but it was committed as invalid: %s", status, tx.code))
	}
	return tx
}

// Code expects that the transaction is in a block, with a validation code. It is for transactions that conflict.
func (tx *Tx) Code(code kvledger.ValidationCode) *Tx {
	tx.net.t.Helper()
	tx.asked.Store(true)
	switch {
	case !tx.committed:
		tx.fail(fmt.Sprintf("want it committed as %s, but it was not committed", code))
	case tx.code != code:
		tx.fail(fmt.Sprintf("want it committed as %s, got %s", code, tx.code))
	}
	return tx
}

// Returns expects a payload. want is converted as arguments are, and equal JSON is equal. With Fields, other fields may be there.
func (tx *Tx) Returns(want any) *Tx {
	tx.net.t.Helper()
	tx.OK()
	expectValue(tx, "the payload isn't what was expected", want, tx.outcome.payload)
	return tx
}

// Into decodes the payload, which must be JSON. into points to where it goes.
func (tx *Tx) Into(into any) *Tx {
	tx.net.t.Helper()
	tx.OK()
	if err := json.Unmarshal(tx.outcome.payload, into); err != nil {
		tx.fail(fmt.Sprintf("decode the payload into a %T", into), err.Error())
	}
	return tx
}

// expectValue compares a value.
func expectValue(tx *Tx, otherwise string, want any, got []byte) {
	tx.net.t.Helper()
	lines, err := mismatch(want, got)
	if err != nil {
		tx.net.fatal("%s: %v", tx.name(), err)
	}
	if len(lines) > 0 {
		tx.fail(otherwise, lines...)
	}
}

// Event expects that the transaction has set an event. payload is what is expected of its payload, which is converted as arguments
// are. Without one, any payload is right. Only a transaction that was submitted and is valid has an event that others see; this looks
// at what the chaincode has set.
func (tx *Tx) Event(name string, payload ...any) *Tx {
	tx.net.t.Helper()
	expectEvent(tx, name)
	for _, want := range payload {
		expectValue(tx, fmt.Sprintf("the payload of event %s isn't what was expected", name), want, tx.outcome.event.Payload)
	}
	return tx
}

// EventInto expects that the transaction has set an event, and decodes its payload, which must be JSON. into points to where it goes.
func (tx *Tx) EventInto(name string, into any) *Tx {
	tx.net.t.Helper()
	expectEvent(tx, name)
	got := tx.outcome.event.Payload
	if err := json.Unmarshal(got, into); err != nil {
		tx.fail(fmt.Sprintf("decode the payload of event %s into a %T", name, into), err.Error(), "it is "+show(got))
	}
	return tx
}

func expectEvent(tx *Tx, name string) {
	tx.net.t.Helper()
	tx.OK()
	switch e := tx.outcome.event; {
	case e == nil:
		tx.fail(fmt.Sprintf("want event %s, got none", name))
	case e.Name != name:
		tx.fail(fmt.Sprintf("want event %s, got event %s", name, e.Name))
	}
}

// NoEvent expects that the transaction has set no event.
func (tx *Tx) NoEvent() *Tx {
	tx.net.t.Helper()
	if e := tx.outcome.event; e != nil {
		tx.fail(fmt.Sprintf("want no event, got event %s", e.Name))
	}
	return tx
}

// Writes expects that the transaction writes a value to a key of the chaincode that was called. want is converted as arguments are.
func (tx *Tx) Writes(key string, want any) *Tx {
	tx.net.t.Helper()
	tx.OK()
	expectWrite(tx, tx.rwset.namespace(tx.chaincode).public, key, "", want)
	return tx
}

// WritesPrivate is Writes for a key of a collection of private data.
func (tx *Tx) WritesPrivate(collection, key string, want any) *Tx {
	tx.net.t.Helper()
	tx.OK()
	var set *pb.KVRWSet
	if c := tx.rwset.collection(tx.chaincode, collection); c != nil {
		set = c.writes
	}
	expectWrite(tx, set, key, " of collection "+collection, want)
	return tx
}

func expectWrite(tx *Tx, set *pb.KVRWSet, key, where string, want any) {
	tx.net.t.Helper()
	what := showKey(key) + where
	switch w := write(set, key); {
	case w == nil:
		tx.fail(fmt.Sprintf("want it to write %s, but it doesn't", what), otherKeys(set)...)
	case w.GetIsDelete():
		tx.fail(fmt.Sprintf("want it to write %s, but it deletes it", what))
	default:
		expectValue(tx, fmt.Sprintf("it writes %s, but not what was expected", what), want, w.GetValue())
	}
}

// otherKeys says what is written instead of what was expected.
func otherKeys(set *pb.KVRWSet) []string {
	var keys []string
	for _, w := range set.GetWrites() {
		keys = append(keys, w.GetKey())
	}
	if len(keys) == 0 {
		return nil
	}
	return []string{"it writes " + showKeys(keys)}
}

// Deletes expects that the transaction deletes a key of the chaincode that was called.
func (tx *Tx) Deletes(key string) *Tx {
	tx.net.t.Helper()
	tx.OK()
	switch w := write(tx.rwset.namespace(tx.chaincode).public, key); {
	case w == nil:
		tx.fail(fmt.Sprintf("want it to delete %s, but it doesn't", showKey(key)))
	case !w.GetIsDelete():
		tx.fail(fmt.Sprintf("want it to delete %s, but it writes it", showKey(key)))
	}
	return tx
}

// WritesNothing expects that the transaction writes and deletes nothing, in whatever chaincode, collections included.
func (tx *Tx) WritesNothing() *Tx {
	tx.net.t.Helper()
	tx.OK()
	for _, ns := range tx.rwset.namespaces {
		n := len(ns.public.GetWrites()) + len(ns.public.GetMetadataWrites())
		for _, c := range ns.collections {
			n += len(c.hashed.GetHashedWrites()) + len(c.hashed.GetMetadataWrites())
		}
		if n > 0 {
			tx.fail("want it to write nothing, but it writes")
		}
	}
	return tx
}

// Reads expects that the transaction has read a key of the chaincode that was called. It then is invalid if the key changes before
// it is committed. Keys that were found in a range don't count.
func (tx *Tx) Reads(key string) *Tx {
	tx.net.t.Helper()
	tx.OK()
	for _, r := range tx.rwset.namespace(tx.chaincode).public.GetReads() {
		if r.GetKey() == key {
			return tx
		}
	}
	tx.fail(fmt.Sprintf("want it to read %s, but it doesn't", showKey(key)))
	return tx
}

// Calls expects that the transaction has called another chaincode's function.
func (tx *Tx) Calls(chaincode, function string) *Tx {
	tx.net.t.Helper()
	tx.OK()
	if !tx.conversation.calls(chaincode, function) {
		tx.fail(fmt.Sprintf("want it to call %s.%s, but it doesn't", chaincode, function))
	}
	return tx
}
