package shim_test

import (
	"fmt"
	"strings"
	"testing"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// page is an answer that holds the keys from..to-1.
func page(t testing.TB, from, to int, more bool) []byte {
	t.Helper()
	p := &pb.QueryResponse{Id: "q", HasMore: more}
	for i := from; i < to; i++ {
		p.Results = append(p.Results, &pb.QueryResultBytes{ResultBytes: marshal(t, &pb.KV{Key: fmt.Sprint(i)})})
	}
	return marshal(t, p)
}

// servePages answers the transaction's requests from n rows until it completes, and returns the requests' types.
func servePages(c *conversation, n int) (requests []string, res *shim.Response) {
	const pageSize = 100
	sent := 0
	for {
		m, err := c.Recv()
		if err != nil {
			c.t.Fatal(err)
		}
		switch m.GetType() {
		case pb.ChaincodeMessage_COMPLETED:
			return requests, mustResponse(c.t, m)
		case pb.ChaincodeMessage_QUERY_STATE_CLOSE:
			c.answer(m, pb.ChaincodeMessage_RESPONSE, page(c.t, 0, 0, false))
		default:
			to := min(sent+pageSize, n)
			c.answer(m, pb.ChaincodeMessage_RESPONSE, page(c.t, sent, to, to < n))
			sent = to
		}
		requests = append(requests, m.GetType().String())
	}
}

func TestPages(t *testing.T) {
	for rows, next := range map[int]int{0: 0, 1: 0, 99: 0, 100: 0, 101: 1, 200: 1, 201: 2, 1000: 9} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			c := connect(t, function(func(s stub) *shim.Response {
				it, err := s.GetStateByRange("", "")
				if err != nil {
					return shim.Error(err.Error())
				}
				n := 0
				for ; it.HasNext(); n++ {
					if kv, err := it.Next(); err != nil || kv.GetKey() != fmt.Sprint(n) {
						return shim.Error(fmt.Sprintf("row %d: %v, %v", n, kv, err))
					}
				}
				_, err = it.Next()
				return shim.Success(fmt.Appendf(nil, "%d rows, %v, %v, %v, %t", n, err, it.Close(), it.Close(), it.HasNext()))
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			requests, res := servePages(c, rows)
			if want := fmt.Sprintf("%d rows, no such key, <nil>, <nil>, false", rows); string(res.GetPayload()) != want {
				t.Errorf("got %v, want %q", res, want)
			}
			// An iterator that has ended is closed already: one request for each page, and none to close.
			want := "GET_STATE_BY_RANGE" + strings.Repeat(" QUERY_STATE_NEXT", next)
			if got := strings.Join(requests, " "); got != want {
				t.Errorf("requests: got %s, want %s", got, want)
			}
		})
	}
}

// An iterator that is left early is closed by one request.
func TestCloseEarly(t *testing.T) {
	c := connect(t, function(func(s stub) *shim.Response {
		it, err := s.GetStateByRange("", "")
		if err != nil {
			return shim.Error(err.Error())
		}
		_, err = it.Next()
		return shim.Success(fmt.Append(nil, err, it.Close(), it.Close(), it.HasNext()))
	}))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	requests, res := servePages(c, 101)
	if want := "<nil> <nil> <nil> false"; string(res.GetPayload()) != want {
		t.Errorf("got %v", res)
	}
	if got := strings.Join(requests, " "); got != "GET_STATE_BY_RANGE QUERY_STATE_CLOSE" {
		t.Errorf("requests: %s", got)
	}
}

// The result before an error is still returned, then the error, and Close works after it.
func TestPageFails(t *testing.T) {
	for name, test := range map[string]struct {
		typ    pb.ChaincodeMessage_Type
		answer []byte
		want   string
	}{
		"peer's error":    {pb.ChaincodeMessage_ERROR, []byte("query iterator not found"), "query iterator not found"},
		"garbage":         {pb.ChaincodeMessage_RESPONSE, []byte("\xff"), "[tx] unmarshal answer to QUERY_STATE_NEXT: "},
		"more of nothing": {pb.ChaincodeMessage_RESPONSE, page(t, 0, 0, true), "invalid iterator state: "},
		"garbage for a result": {pb.ChaincodeMessage_RESPONSE, marshal(t, &pb.QueryResponse{Results: []*pb.QueryResultBytes{{ResultBytes: []byte("\xff")}}}),
			"error unmarshaling result from bytes: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, function(func(s stub) *shim.Response {
				it, err := s.GetStateByRange("", "")
				if err != nil {
					return shim.Error(err.Error())
				}
				first, err := it.Next()
				if err != nil || first.GetKey() != "0" || !it.HasNext() {
					return shim.Error(fmt.Sprint("first result: ", first, err))
				}
				_, err = it.Next()
				if closeErr := it.Close(); closeErr != nil {
					return shim.Error(closeErr.Error())
				}
				return shim.Success(fmt.Append(nil, err))
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			c.answer(c.expect(pb.ChaincodeMessage_GET_STATE_BY_RANGE, nil), pb.ChaincodeMessage_RESPONSE, page(t, 0, 1, true))
			c.answer(c.expect(pb.ChaincodeMessage_QUERY_STATE_NEXT, nil), test.typ, test.answer)
			m, err := c.Recv()
			if err == nil && m.GetType() == pb.ChaincodeMessage_QUERY_STATE_CLOSE {
				c.answer(m, pb.ChaincodeMessage_RESPONSE, nil)
				m, err = c.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			if res := mustResponse(t, m); !strings.HasPrefix(string(res.GetPayload()), test.want) {
				t.Errorf("got %v, want %q", res, test.want)
			}
		})
	}
}
