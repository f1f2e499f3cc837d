package chaincodetest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Cost is what a transaction has cost.
type Cost struct {
	// Requests are those of the chaincode, and of those that it has called. Each is a round trip.
	Requests int `json:"requests"`
	// Reads, Writes and Ranges count the read/write set's keys and ranges, private ones included.
	Reads  int `json:"reads"`
	Writes int `json:"writes"`
	Ranges int `json:"ranges,omitempty"`
	// Results are how many keys ranges, queries and histories have found. Lengths says it of each of them, in the order in which they
	// began.
	Results int   `json:"results,omitempty"`
	Lengths []int `json:"lengths,omitempty"`
	// MessageBytes is the size of all messages between chaincode and peer. RWSetBytes is that of the public read/write set, which
	// every block has.
	MessageBytes int `json:"messageBytes"`
	RWSetBytes   int `json:"rwsetBytes"`
}

// WithCosts checks what each transaction costs against a file, such as testdata/costs.json: the test fails if one costs more or less
// than the file says. CHAINCODETEST_UPDATE=1 writes the file. Several tests may share it. Set the clock by SetTime if times are
// part of what is written.
func WithCosts(file string) Option { return func(s *settings) { s.costs = file } }

// Cost returns what the transaction has cost.
func (tx *Tx) Cost() Cost {
	tx.conversation.mu.Lock()
	c := tx.conversation.cost.Cost
	c.Lengths = slices.Clone(c.Lengths)
	tx.conversation.mu.Unlock()
	if tx.rwset == nil {
		return c
	}
	c.RWSetBytes = len(tx.outcome.rwset)
	for _, ns := range tx.rwset.namespaces {
		c.Reads += len(ns.public.GetReads())
		c.Writes += len(ns.public.GetWrites())
		c.Ranges += len(ns.public.GetRangeQueriesInfo())
		for _, coll := range ns.collections {
			c.Reads += len(coll.hashed.GetHashedReads())
			c.Writes += len(coll.hashed.GetHashedWrites())
		}
	}
	return c
}

// counting counts a conversation's messages.
type counting struct {
	Cost
	asked pb.ChaincodeMessage_Type
	open  map[string]int // which of Lengths an iterator's is, by its ID
}

func (c *counting) count(received bool, m *pb.ChaincodeMessage) {
	c.MessageBytes += len(m.GetPayload())
	switch {
	case received && m.GetType() != pb.ChaincodeMessage_COMPLETED && m.GetType() != pb.ChaincodeMessage_ERROR:
		c.Requests++
		c.asked = m.GetType()
	case !received && m.GetType() == pb.ChaincodeMessage_RESPONSE && paged(c.asked):
		page := &pb.QueryResponse{}
		if proto.Unmarshal(m.GetPayload(), page) == nil {
			c.countPage(page)
		}
	}
}

// countPage counts what a range, query or history has found. Only the first page can be of an iterator that isn't known.
func (c *counting) countPage(page *pb.QueryResponse) {
	i, known := c.open[page.GetId()]
	if !known {
		if c.open == nil {
			c.open = map[string]int{}
		}
		i = len(c.Lengths)
		c.open[page.GetId()] = i
		c.Lengths = append(c.Lengths, 0)
	}
	c.Results += len(page.GetResults())
	c.Lengths[i] += len(page.GetResults())
}

func paged(typ pb.ChaincodeMessage_Type) bool {
	switch typ {
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT:
		return true
	}
	return false
}

// costs are those of a network's transactions, by what they are called in the file.
type costs struct {
	mu  sync.Mutex
	all map[string]Cost
	txs map[string]*Tx
}

// note notes what a transaction has cost. The second transaction of the same function has #2 after its name.
func (c *costs) note(tx *Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all, c.txs = map[string]Cost{}, map[string]*Tx{}
	}
	name := tx.chaincode + "." + tx.function
	for i := 2; ; i++ {
		if _, ok := c.all[name]; !ok {
			break
		}
		name = fmt.Sprintf("%s.%s #%d", tx.chaincode, tx.function, i)
	}
	c.all[name], c.txs[name] = tx.Cost(), tx
}

// costsFile is held while a file of costs is read and written, because parallel tests may share it.
var costsFile sync.Mutex

// check compares the costs with the file's, or writes them there.
func (c *costs) check(t testing.TB, file string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	costsFile.Lock()
	defer costsFile.Unlock()
	known, err := readCosts(file)
	if err == nil && os.Getenv(updateVariable) != "" {
		known[t.Name()] = c.all
		err = writeCosts(file, known)
	}
	if err != nil {
		t.Errorf("chaincodetest: costs: %v", err)
		return
	}
	if lines := c.changes(known[t.Name()]); len(lines) > 0 && !t.Failed() {
		t.Errorf("transactions don't cost what %s says\n%s\n%s=1 go test writes it", file, indent(lines), updateVariable)
	}
}

// changes says what costs more or less than before.
func (c *costs) changes(before map[string]Cost) []string {
	var lines []string
	for _, name := range sortedKeys(before, c.all) {
		was, known := before[name]
		is, ran := c.all[name]
		switch {
		case !known:
			lines = append(lines, name+": it is not in the file")
		case !ran:
			lines = append(lines, name+": it is in the file, but has not run")
		case !was.equal(is):
			lines = append(append(lines, name+":"), prefixed("  ", differences("", was.json(), is.json(), false))...)
			lines = append(lines, strings.Split(strings.TrimPrefix(c.txs[name].report(), "\n"), "\n")...)
		}
	}
	return lines
}

// equal reports whether something costs what the file says. Files of before don't say the lengths.
func (c Cost) equal(is Cost) bool {
	if c.Lengths == nil {
		is.Lengths = nil
	}
	return reflect.DeepEqual(c, is)
}

// json returns the cost as a JSON value.
func (c Cost) json() any {
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error() // it has nothing that can't be encoded
	}
	v, _ := decodeJSON(b)
	return v
}

func readCosts(file string) (map[string]map[string]Cost, error) {
	known := map[string]map[string]Cost{}
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	return known, errors.Wrapf(json.Unmarshal(text, &known), "decode %s", file)
}

func writeCosts(file string, known map[string]map[string]Cost) error {
	text, err := marshalIndent(known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // it is for the repository
}
