package chaincodesupport_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	"github.com/ccpeer/ccpeer/shim"
)

// query is a chaincode that runs its first argument as a query, and reads what it yields.
func query(s stub) *shim.Response {
	it, err := s.GetQueryResult(s.GetStringArgs()[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	for it.HasNext() {
		if _, err := it.Next(); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

// longText is a document whose text has so many MiB.
func longText(mib int) string { return `{"a":"` + strings.Repeat("a", mib<<20) + `"}` }

// putDocument commits a document of a chaincode.
func (n *network) putDocument(chaincode, value string) {
	n.t.Helper()
	p := n.params("document " + strconv.Itoa(len(value)))
	if err := p.Simulation.Simulator().SetState(n.t.Context(), chaincode, "k", []byte(value)); err != nil {
		n.t.Fatal(err)
	}
	n.commit(p)
}

// TestHostileQueriesAreRefused has queries at the size at which they once ran for minutes: the chaincode is told why not.
//
// F98
func TestHostileQueriesAreRefused(t *testing.T) {
	const regex = `{"selector":{"a":{"$regex":"(a?){500}(a?){400}b"}}}`
	for name, test := range map[string]struct {
		mib         int
		query, want string
	}{
		"a pattern on 1 MiB":     {1, regex, "instructions on a string of 1048576 bytes: 2147483648 times both is the most"},
		"a pattern on 20 MiB":    {20, regex, "instructions on a string of 20971520 bytes: 2147483648 times both is the most"},
		"a list of 40 MiB":       {1, `{"selector":{"a":{"$in":["` + strings.Repeat(`x","`, 10<<20) + `"]}}}`, "8388608 are the most"},
		"a list of 8 MiB":        {1, `{"selector":{"a":{"$in":["` + strings.Repeat(`x","`, 9<<18) + `"]}}}`, "8388608 are the most"},
		"a list of 1,000,000":    {1, `{"selector":{"a":{"$in":[1` + strings.Repeat(`,1`, 1_000_000) + `]}}}`, "there are more than 250000"},
		"a list of 200,000":      {1, `{"selector":{"a":{"$in":[1` + strings.Repeat(`,1`, 200_000) + `]}}}`, "100000 are the most"},
		"a pattern of 1,000,000": {1, `{"selector":{"a":{"$regex":"((a{1000}){1000})"}}}`, "Bad argument"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"query": query})
			n.putDocument("query", longText(test.mib))
			r, err := n.ExecuteID(t.Context(), "query", n.params("t"), input(test.query))
			if err != nil || r.Status != 500 || !strings.Contains(r.Message, test.want) {
				t.Errorf("%v, %.300v", err, r)
			}
		})
	}
}

// TestCloseStopsQuery closes the peer while a query runs that no limit refuses, and that would run for longer than Close waits. The
// query ends with it, and nothing is left.
//
// F97, I7
func TestCloseStopsQuery(t *testing.T) {
	list := make([]string, 100_000)
	for i := range list {
		list[i] = `{"b":[` + strconv.Itoa(i) + `]}`
	}
	for name, test := range map[string]struct {
		value, query string
		long         bool
	}{
		"a pattern on 2 MiB":     {value: longText(2), query: `{"selector":{"a":{"$regex":"(a?){50}(a?){40}b"}}}`},
		"a pattern on 20 MiB":    {value: longText(20), query: `{"selector":{"a":{"$regex":"(a|aa)*(a|aa)*b"}}}`},
		"many patterns on 2 MiB": {value: longText(2), query: `{"selector":{"$or":[` + strings.Repeat(`{"a":{"$regex":"(a?){9}b"}},`, 150) + `{"a":1}]}}`},
		"a list on 20 MiB": {
			value: `{"a":[{"b":[0.5]}` + strings.Repeat(`,{"b":[0.5]}`, 1_700_000) + `]}`,
			query: `{"selector":{"a":{"$in":[` + strings.Join(list, ",") + `]}}}`, long: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.long && os.Getenv("CCPEER_LONG") == "" {
				t.Skip("takes a GiB: set CCPEER_LONG")
			}
			n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"query": query})
			n.putDocument("query", test.value)
			running, stopped := make(chan struct{}), make(chan error, 1)
			n.watched["ch1"].On(ledgertest.Next, ledgertest.Once(func(_ context.Context, call func() error) error {
				close(running)
				err := call()
				stopped <- err
				return err
			}))
			executed := make(chan error, 1)
			p := n.params("t")
			go func() {
				r, err := n.ExecuteID(t.Context(), "query", p, input(test.query))
				if err == nil {
					err = errors.New(r.Message)
				}
				executed <- err
			}()
			select {
			case <-running:
			case err := <-executed:
				t.Fatalf("Execute before the query ran: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := n.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := <-executed; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
			if err := <-stopped; !errors.Is(err, context.Canceled) {
				t.Errorf("the query was not stopped: %v", err)
			}
		})
	}
}
