package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// memberJSON is who has signed something.
type memberJSON struct {
	MSPID string `json:"mspid"`
	// CommonName is the certificate's. It is left out if there is no certificate that can be read.
	CommonName string `json:"commonName,omitempty"`
}

// envelopeJSON is what the envelope of an endorsed transaction says beside what it has read and written. It is zero if nobody has
// endorsed it.
type envelopeJSON struct {
	Args      []*data       `json:"args,omitempty"`
	IsInit    bool          `json:"isInit,omitempty"`
	Version   string        `json:"chaincodeVersion,omitempty"`
	Response  *responseJSON `json:"response,omitempty"`
	Event     *eventJSON    `json:"event,omitempty"`
	Endorsers []memberJSON  `json:"endorsers,omitempty"`
}

type responseJSON struct {
	Status  int32  `json:"status"`
	Message string `json:"message,omitempty"`
	Payload *data  `json:"payload,omitempty"`
}

type eventJSON struct {
	Chaincode string `json:"chaincode"`
	Name      string `json:"name"`
	Payload   *data  `json:"payload"`
}

// describeTx says what is known of a transaction: what a block shows, and the rest. Of a transaction that nobody has endorsed, as
// in ledgers that earlier versions have written, there is little.
func describeTx(committed *kvledger.CommittedTransaction) (b blockTxJSON, e envelopeJSON) {
	b = blockTxJSON{TxID: committed.TxID, keyVersion: keyVersion(committed.Version), Timestamp: committed.Timestamp, Code: committed.Code.String()}
	if t, ok := block.HeaderType(committed.Envelope); ok && t == pb.HeaderType_CONFIG {
		b.Type = t.String()
		return b, e
	}
	tx, err := committed.Parse()
	if err != nil || len(tx.Endorsements) == 0 {
		return b, e
	}
	creator := memberOf(tx.Creator)
	b.Creator, b.Chaincode = &creator, tx.Chaincode
	e.IsInit, e.Version = tx.IsInit, tx.Version
	for _, arg := range tx.Args {
		e.Args = append(e.Args, newData(arg))
	}
	if len(e.Args) > 0 {
		b.Function = e.Args[0].Text
	}
	if r := tx.Response; r != nil {
		e.Response = &responseJSON{Status: r.GetStatus(), Message: r.GetMessage()}
		if len(r.GetPayload()) > 0 {
			e.Response.Payload = newData(r.GetPayload())
		}
	}
	if tx.Event != nil {
		e.Event = &eventJSON{Chaincode: tx.Event.GetChaincodeId(), Name: tx.Event.GetEventName(), Payload: newData(tx.Event.GetPayload())}
	}
	for _, endorsement := range tx.Endorsements {
		e.Endorsers = append(e.Endorsers, memberOf(endorsement.GetEndorser()))
	}
	return b, e
}

// memberOf reads a marshalled SerializedIdentity, as far as it can be read.
func memberOf(creator []byte) memberJSON {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return memberJSON{}
	}
	m := memberJSON{MSPID: id.GetMspid()}
	certificate, _ := pem.Decode(id.GetIdBytes())
	if certificate == nil {
		return m
	}
	if cert, err := x509.ParseCertificate(certificate.Bytes); err == nil {
		m.CommonName = cert.Subject.CommonName
	}
	return m
}

// String is name@MSPID, fit for a terminal.
func (m memberJSON) String() string {
	if m.MSPID == "" && m.CommonName == "" {
		return "somebody unreadable"
	}
	name := m.CommonName
	if name == "" {
		name = "somebody"
	}
	return shown(name + "@" + m.MSPID)
}

// printEnvelope shows what was asked and answered, a line for each.
func (tx *txJSON) printEnvelope(w io.Writer) {
	if tx.Type != "" {
		_, _ = fmt.Fprintf(w, "  type  %s\n", tx.Type)
	}
	if tx.Creator == nil {
		return
	}
	e := &tx.envelopeJSON
	t := newTable(w)
	t.row("  creator\t%s", tx.Creator)
	words := make([]string, len(e.Args))
	for i, arg := range e.Args {
		words[i] = arg.String()
	}
	called := "call"
	if e.IsInit {
		called = "init"
	}
	t.row("  %s\t%s", called, strings.TrimSpace(shown(tx.Chaincode)+" "+strings.Join(words, " ")))
	if r := e.Response; r != nil {
		text := fmt.Sprint(r.Status)
		if r.Message != "" {
			text += " " + showBytes([]byte(r.Message))
		}
		if r.Payload != nil {
			text += ", " + r.Payload.String()
		}
		t.row("  response\t%s", text)
	}
	if e.Event != nil {
		t.row("  event\t%s = %s", shown(e.Event.Name), e.Event.Payload)
	}
	for _, endorser := range e.Endorsers {
		t.row("  endorser\t%s", endorser)
	}
	_ = t.Flush()
}
