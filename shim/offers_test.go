package shim_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// everything is what a peer offers that offers all there is.
func everything() *pb.ChaincodeAdditionalParams {
	return &pb.ChaincodeAdditionalParams{UseWriteBatch: true, MaxSizeWriteBatch: 1000, UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: 1000}
}

// serve answers a transaction's requests until it completes: a key's value is the key, but for keys that begin with
// "absent". It returns the requests, each as its type and how many keys or writes it holds, and the response.
func serve(c *conversation) (requests []string, res *shim.Response) {
	c.t.Helper()
	value := func(key string) []byte {
		if strings.HasPrefix(key, "absent") {
			return nil
		}
		return []byte(key)
	}
	for {
		m, err := c.Recv()
		if err != nil {
			c.t.Fatal(err)
		}
		held, answer := 1, []byte(nil)
		switch m.GetType() {
		case pb.ChaincodeMessage_COMPLETED:
			return requests, mustResponse(c.t, m)
		case pb.ChaincodeMessage_GET_STATE:
			get := new(pb.GetState)
			unmarshal(c.t, m.GetPayload(), get)
			answer = value(get.GetKey())
		case pb.ChaincodeMessage_GET_STATE_MULTIPLE:
			get, result := new(pb.GetStateMultiple), new(pb.GetStateMultipleResult)
			unmarshal(c.t, m.GetPayload(), get)
			for _, key := range get.GetKeys() {
				result.Values = append(result.Values, value(key))
			}
			held, answer = len(get.GetKeys()), marshal(c.t, result)
		case pb.ChaincodeMessage_WRITE_BATCH_STATE:
			batch := new(pb.WriteBatchState)
			unmarshal(c.t, m.GetPayload(), batch)
			held = len(batch.GetRec())
		}
		c.answer(m, pb.ChaincodeMessage_RESPONSE, answer)
		requests = append(requests, fmt.Sprint(m.GetType(), " ", held))
	}
}

func unmarshal(t testing.TB, b []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
}

// readAndWrite gets n keys at once and writes them in a batch. Every third key is absent.
func readAndWrite(n int) function {
	return func(s stub) *shim.Response {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprint([]string{"absent", "", ""}[i%3], i))
		}
		values, err := s.GetMultipleStates(keys...)
		if err != nil || len(values) != n || (values == nil) != (n == 0) {
			return shim.Error(fmt.Sprint(len(values), err))
		}
		s.StartWriteBatch()
		for i, key := range keys {
			if absent := i%3 == 0; absent != (values[i] == nil) || !absent && string(values[i]) != key {
				return shim.Error(fmt.Sprintf("%s: %q", key, values[i]))
			}
			if err := s.PutState(key, nil); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	}
}

// requestsOf shows, as serve does, one request for each number of keys or writes.
func requestsOf(typ pb.ChaincodeMessage_Type, held ...int) []string {
	var requests []string
	for _, n := range held {
		requests = append(requests, fmt.Sprint(typ, " ", n))
	}
	return requests
}

// What READY offers decides how many requests it takes to read and to write n keys.
func TestOffers(t *testing.T) {
	each := func(n int) (held []int) {
		for range n {
			held = append(held, 1)
		}
		return held
	}
	batches := func(most uint32) *pb.ChaincodeAdditionalParams {
		return &pb.ChaincodeAdditionalParams{UseWriteBatch: true, MaxSizeWriteBatch: most, UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: most}
	}
	for _, test := range []struct {
		name        string
		ready       []byte
		n           int
		reads       []int
		writes      []int
		multi, many bool // whether GET_STATE_MULTIPLE and WRITE_BATCH_STATE are used
	}{
		{"older peer", nil, 3, each(3), each(3), false, false},
		{"older peer, none", nil, 0, nil, nil, false, false},
		{"garbage", []byte("\xff"), 3, each(3), each(3), false, false},
		{"limits without offers", marshal(t, &pb.ChaincodeAdditionalParams{MaxSizeWriteBatch: 500, MaxSizeGetMultipleKeys: 500}), 3, each(3), each(3), false, false},
		{"batches only", marshal(t, &pb.ChaincodeAdditionalParams{UseWriteBatch: true}), 3, each(3), []int{3}, false, true},
		{"multiple keys only", marshal(t, &pb.ChaincodeAdditionalParams{UseGetMultipleKeys: true}), 3, []int{3}, each(3), true, false},
		{"none", marshal(t, batches(1000)), 0, nil, nil, true, true},
		{"one", marshal(t, batches(1000)), 1, []int{1}, []int{1}, true, true},
		{"limit is 0", marshal(t, batches(0)), 250, []int{100, 100, 50}, []int{100, 100, 50}, true, true},
		{"limit is low", marshal(t, batches(99)), 101, []int{100, 1}, []int{100, 1}, true, true},
		{"exactly the limit", marshal(t, batches(150)), 150, []int{150}, []int{150}, true, true},
		{"twice the limit", marshal(t, batches(150)), 300, []int{150, 150}, []int{150, 150}, true, true},
		{"different limits", marshal(t, &pb.ChaincodeAdditionalParams{UseWriteBatch: true, MaxSizeWriteBatch: 200, UseGetMultipleKeys: true}), 201,
			[]int{100, 100, 1}, []int{200, 1}, true, true},
		{"limit is the highest", marshal(t, batches(math.MaxUint32)), 2000, []int{2000}, []int{2000}, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			get, put := pb.ChaincodeMessage_GET_STATE, pb.ChaincodeMessage_PUT_STATE
			if test.multi {
				get = pb.ChaincodeMessage_GET_STATE_MULTIPLE
			}
			if test.many {
				put = pb.ChaincodeMessage_WRITE_BATCH_STATE
			}
			c := talk(t, shim.Config{ChaincodeID: "cc:1"}, readAndWrite(test.n))
			c.handshakeWith(test.ready)
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			requests, res := serve(c)
			if res.GetStatus() != shim.OK {
				t.Errorf("got %v", res)
			}
			want := append(requestsOf(get, test.reads...), requestsOf(put, test.writes...)...)
			if got, want := fmt.Sprint(requests), fmt.Sprint(want); got != want {
				t.Errorf("requests: got %s, want %s", got, want)
			}
			c.end(nil)
			if err := <-c.done; !errors.Is(err, io.EOF) {
				t.Errorf("Chat: %v", err)
			}
		})
	}
}

// Offers that can't be read are logged, and not more.
func TestUnreadableOffersAreLogged(t *testing.T) {
	var log bytes.Buffer
	c := talk(t, shim.Config{ChaincodeID: "cc:1", Logger: slog.New(slog.NewTextHandler(&log, nil))}, function(ok))
	c.handshakeWith([]byte("\xff"))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	c.completed("tx")
	c.end(nil)
	if err := <-c.done; !errors.Is(err, io.EOF) {
		t.Errorf("Chat: %v", err)
	}
	if !strings.Contains(log.String(), "unmarshal READY") {
		t.Errorf("log: %s", &log)
	}
}

func TestGetMultiple(t *testing.T) {
	for _, e := range []exchange{
		{"GetMultipleStates", func(s stub) (string, error) { return texts(s.GetMultipleStates("b", "a", "x")) },
			pb.ChaincodeMessage_GET_STATE_MULTIPLE, &pb.GetStateMultiple{Keys: []string{"b", "a", "x"}},
			marshal(t, &pb.GetStateMultipleResult{Values: [][]byte{[]byte("vb"), {}, []byte("vx")}}), "vb - vx "},
		{"GetMultiplePrivateData", func(s stub) (string, error) { return texts(s.GetMultiplePrivateData("col", "b", "b")) },
			pb.ChaincodeMessage_GET_STATE_MULTIPLE, &pb.GetStateMultiple{Collection: "col", Keys: []string{"b", "b"}},
			marshal(t, &pb.GetStateMultipleResult{Values: [][]byte{[]byte("v"), []byte("v")}}), "v v "},
	} {
		e.run(t, everything())
	}
	// One key a request, as from GetState, for a peer that offers nothing.
	for _, e := range []exchange{
		{"GetMultipleStates, one by one", func(s stub) (string, error) { return texts(s.GetMultipleStates("b")) },
			pb.ChaincodeMessage_GET_STATE, &pb.GetState{Key: "b"}, nil, "- "},
		{"GetMultiplePrivateData, one by one", func(s stub) (string, error) { return texts(s.GetMultiplePrivateData("col", "b")) },
			pb.ChaincodeMessage_GET_STATE, &pb.GetState{Collection: "col", Key: "b"}, []byte("v"), "v "},
	} {
		e.run(t, nil)
	}
}

// texts shows nil as "-".
func texts(values [][]byte, err error) (string, error) {
	var all string
	for _, v := range values {
		if v == nil {
			v = []byte("-")
		}
		all += string(v) + " "
	}
	return all, err
}

// An answer that does not fit the keys is refused: nobody could tell whose the values are.
func TestGetMultipleIsAnsweredWrongly(t *testing.T) {
	for name, test := range map[string]struct {
		answer []byte
		want   string
	}{
		"too few":  {marshal(t, &pb.GetStateMultipleResult{Values: [][]byte{{1}}}), "[tx] the peer answered GET_STATE_MULTIPLE with 1 values for 2 keys"},
		"too many": {marshal(t, &pb.GetStateMultipleResult{Values: make([][]byte, 3)}), "[tx] the peer answered GET_STATE_MULTIPLE with 3 values for 2 keys"},
		"empty":    {nil, "[tx] the peer answered GET_STATE_MULTIPLE with 0 values for 2 keys"},
		"garbage":  {[]byte("\xff"), "[tx] unmarshal answer to GET_STATE_MULTIPLE: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
				values, err := s.GetMultipleStates("a", "b")
				return shim.Error(fmt.Sprint(err, " and ", len(values)))
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			c.answer(c.expect(pb.ChaincodeMessage_GET_STATE_MULTIPLE, nil), pb.ChaincodeMessage_RESPONSE, test.answer)
			if res := c.completed("tx"); !strings.HasPrefix(res.GetMessage(), test.want) || !strings.HasSuffix(res.GetMessage(), " and 0") {
				t.Errorf("got %v, want %q", res, test.want)
			}
		})
	}
}
