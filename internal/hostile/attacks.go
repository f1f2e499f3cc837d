//go:build linux

package hostile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Run tries each attack. Whatever a chaincode asks for, the peer's memory stays bounded, and others are served.
func Run(t *testing.T) { run(t, false) }

// RunOnDisk is Run over a store that is on disk, so that it may have more than the peer's memory.
func RunOnDisk(t *testing.T) { run(t, true) }

func run(t *testing.T, disk bool) {
	for _, a := range attacks() {
		if a.disk && !disk {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			p := startPeer(t, disk)
			p.serves("before")
			a.do(p.villain("hostile:1"))
			p.serves("after")
		})
	}
}

// attack is what chaincode can ask for that once cost a peer gigabytes. Each is tried on a peer of its own.
type attack struct {
	name string
	disk bool // for a store on disk only
	do   func(v *villain)
}

func attacks() []attack {
	return []attack{
		{name: "one key of 10 MiB is read 500 times at once", do: readOften},
		{name: "256 ranges stay open over two records of 10 MiB", do: openRanges},
		{name: "30 values of 64 MiB are written in a transaction", do: writeMuch},
		{name: "30 transactions read 64 MiB each, which nobody takes", do: readUnread},
		{name: "20 calls of chaincode have 50 MiB of input each", do: callLarge},
		{name: "30 calls of chaincode are answered with 90 MiB each, which nobody takes", do: answerLarge},
		{name: "a query has a regular expression that is a program of gigabytes", do: askRegex},
		{name: "a query has 40 MiB of values", do: askIn},
		{name: "30 queries for a page of 1 over an index in which 500 documents share a long column", do: askPages},
		{name: "metadata of 40 values of 10 MiB is written in a transaction", disk: true, do: writeMetadata},
		{name: "4 queries at once over 100 documents of 10 MiB", disk: true, do: askDocuments},
	}
}

// readOften cost 5.1 GiB: the size was looked at after 5 GB were encoded.
func readOften(v *villain) {
	v.load(make([]byte, 10*mib()), "k")
	outcome, keys := v.begin("t"), make([]string, 500)
	for i := range keys {
		keys[i] = "k"
	}
	v.wantRefused(v.ask("t", pb.ChaincodeMessage_GET_STATE_MULTIPLE, marshal(&pb.GetStateMultiple{Keys: keys})),
		fmt.Sprint("more than ", limits().MaxSendMsgSize, " bytes"))
	v.serves("meanwhile")
	v.finish("t", outcome)
}

// openRanges cost 4.0 GiB: each had read a record ahead.
func openRanges(v *villain) {
	v.load(make([]byte, 10*mib()), "a", "b")
	outcome, refused := v.begin("t"), 0
	for range 256 {
		if m := v.ask("t", pb.ChaincodeMessage_GET_STATE_BY_RANGE, marshal(&pb.GetStateByRange{})); m.Type == pb.ChaincodeMessage_ERROR {
			refused++
		}
	}
	if refused == 0 {
		v.t.Error("none was refused")
	}
	v.serves("meanwhile")
	v.finish("t", outcome)
}

// writeMuch cost 6.4 GiB.
func writeMuch(v *villain) {
	outcome, value := v.begin("t"), make([]byte, 64*mib())
	var last *pb.ChaincodeMessage
	for i := range 30 {
		last = v.put("t", fmt.Sprint("k", i), value)
	}
	v.wantRefused(last, fmt.Sprint("the limit is ", limits().MaxTransactionBytes))
	v.serves("meanwhile")
	v.request("t", pb.ChaincodeMessage_COMPLETED, marshal(&pb.Response{Status: 500, Message: "enough"}))
	if got := v.await(outcome); !strings.HasPrefix(got, "500") {
		v.t.Errorf("the transaction ended with %s, want 500", got)
	}
}

// readUnread cost 2.9 GiB.
func readUnread(v *villain) {
	v.load(make([]byte, 64*mib()), "k")
	var outcomes []<-chan string
	for i := range 30 {
		outcomes = append(outcomes, v.begin(fmt.Sprint("t", i)))
	}
	for i := range 30 {
		v.request(fmt.Sprint("t", i), pb.ChaincodeMessage_GET_STATE, marshal(&pb.GetState{Key: "k"}))
	}
	v.holds(outcomes)
}

// callLarge cost 2.6 GiB.
func callLarge(v *villain) {
	callee := v.villain("callee") // which reads no more
	var outcomes []<-chan string
	for i := range 20 {
		outcomes = append(outcomes, v.begin(fmt.Sprint("t", i)))
	}
	call := marshal(&pb.ChaincodeSpec{
		ChaincodeId: &pb.ChaincodeID{Name: callee.id}, Input: &pb.ChaincodeInput{Args: [][]byte{make([]byte, 50*mib())}},
	})
	go func() { // the peer may stop reading
		for i := range 20 {
			if v.s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE, Txid: fmt.Sprint("t", i), ChannelId: channel, Payload: call}) != nil {
				return
			}
		}
	}()
	v.holds(outcomes)
}

// answerLarge is callLarge with the answers.
func answerLarge(v *villain) {
	callee := v.villain("callee")
	var outcomes []<-chan string
	for i := range 30 {
		txID := fmt.Sprint("t", i)
		outcomes = append(outcomes, v.begin(txID))
		v.request(txID, pb.ChaincodeMessage_INVOKE_CHAINCODE, marshal(&pb.ChaincodeSpec{
			ChaincodeId: &pb.ChaincodeID{Name: callee.id}, Input: &pb.ChaincodeInput{Args: [][]byte{[]byte("large")}},
		}))
		callee.expect(pb.ChaincodeMessage_TRANSACTION)
	}
	reply := marshal(&pb.Response{Status: 200, Payload: make([]byte, 90*mib())})
	go func() { // the peer may stop reading
		for i := range 30 {
			if callee.s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Txid: fmt.Sprint("t", i), ChannelId: channel, Payload: reply}) != nil {
				return
			}
		}
	}()
	v.holds(outcomes)
}

// askRegex cost 0.5 GiB.
func askRegex(v *villain) {
	v.load([]byte(`{"a":"aaaa"}`), "k")
	v.wantQueryRefused(`{"selector":{"a":{"$regex":"`+strings.Repeat("a{1000}", 3000)+`"}}}`, "8192")
}

// askIn cost 1.1 GiB. What a query may have is fixed, so the small form's is just above it. What it is refused for is what its
// iterator would keep, or its size.
func askIn(v *villain) {
	v.load([]byte(`{"a":"aaaa"}`), "k")
	values, limit := max(10*mib(), 9<<20/4), "the limit is "
	if long() {
		limit = "8388608 are the most"
	}
	v.wantQueryRefused(`{"selector":{"a":{"$in":[`+string(bytes.Repeat([]byte(`"x",`), values))+`"y"]}}}`, limit)
}

// askPages cost 52 MiB for each query: the index has only the columns' first bytes, and so all documents were sorted.
func askPages(v *villain) {
	outcome, column := v.begin("load"), strings.Repeat("c", 100<<10*mib()>>20)
	for i := range 500 {
		if m := v.put("load", fmt.Sprintf("k%03d", i), []byte(`{"c":"`+column+`","d":`+fmt.Sprint(i)+`}`)); m.Type != pb.ChaincodeMessage_RESPONSE {
			v.t.Fatalf("put: %.200q", m.Payload)
		}
	}
	if o := v.finish("load", outcome); !strings.HasPrefix(o, "200") {
		v.t.Fatalf("load: %s", o)
	}
	query := marshal(&pb.GetQueryResult{
		Query: `{"selector":{"c":{"$gt":"c"}},"sort":["c"]}`, Metadata: marshal(&pb.QueryMetadata{PageSize: 1}),
	})
	v.wantAnswers(30, query, 1)
}

// askDocuments cost 0.4 GiB for each query, which held all the documents that an index had led it to. To load and read them takes
// minutes of processor time. Most of it is Pebble's, which merges what it has written, and that of decoding.
func askDocuments(v *villain) {
	const documents, queries = 100, 4
	keys := make([]string, documents)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	v.load([]byte(`{"n":1,"x":"`+strings.Repeat("x", 10*mib())+`"}`), keys...)
	v.wantAnswers(queries, marshal(&pb.GetQueryResult{Query: `{"selector":{"n":1,"y":1}}`}), 0)
}

// writeMetadata cost more than the memory, for a few bytes a key: the commit writes each value again.
func writeMetadata(v *villain) {
	keys := make([]string, 40)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	v.load(make([]byte, 10*mib()), keys...)
	outcome, refused := v.begin("t"), 0
	for _, key := range keys {
		m := v.ask("t", pb.ChaincodeMessage_PUT_STATE_METADATA, marshal(&pb.PutStateMetadata{
			Key: key, Metadata: &pb.StateMetadata{Metakey: "m", Value: []byte("v")},
		}))
		if m.Type == pb.ChaincodeMessage_ERROR {
			v.wantRefused(m, fmt.Sprint("the limit is ", limits().MaxTransactionBytes))
			refused++
		}
	}
	if want := len(keys) - 25; refused != want { // 25 have room, and are committed
		v.t.Errorf("%d were refused, want %d", refused, want)
	}
	if o := v.finish("t", outcome); !strings.HasPrefix(o, "200") {
		v.t.Errorf("the transaction ended with %s", o)
	}
}
