package chaincodetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// seedVariable has Explore do what it did with that seed before.
const seedVariable = "CHAINCODETEST_SEED"

// Exploration says what Explore tries.
type Exploration struct {
	// Calls are what may be called. Required.
	Calls []Call
	// Invariants are what must hold after each block, by their names. An error says what is wrong. They may read the state, and
	// evaluate. They must not submit.
	Invariants map[string]func(n *Net) error
	// Steps is how many transactions are run. 0: 100.
	Steps int
	// Block is how many transactions a block may have, which then are simulated on the same state and may conflict. 0: up to 3.
	Block int
	// Seed is what the choices follow from. 0: another one each time, which a failure names.
	Seed uint64
}

// Call is a function that may be called.
type Call struct {
	// As are the clients that may call it. Required.
	As        []*Client
	Chaincode string
	Function  string
	// Args make the arguments.
	Args []Arg
}

// Arg makes an argument. seen are the keys and values that transactions have written so far, and the arguments that they had.
type Arg func(random *rand.Rand, seen []string) any

// Seen is an argument that is something that was seen before: a key, a field of a JSON value, an argument. As long as nothing was
// seen, it is one of the strings.
func Seen(otherwise ...string) Arg {
	return func(random *rand.Rand, seen []string) any {
		all := append(otherwise[:len(otherwise):len(otherwise)], seen...)
		if len(all) == 0 {
			return ""
		}
		return all[random.IntN(len(all))]
	}
}

// OneOf is an argument that is one of the values.
func OneOf(values ...any) Arg {
	return func(random *rand.Rand, _ []string) any { return values[random.IntN(len(values))] }
}

// Between is an argument that is a number from low to high. The ends are more likely than others.
func Between(low, high int) Arg {
	return func(random *rand.Rand, _ []string) any {
		switch random.IntN(5) {
		case 0:
			return low
		case 1:
			return high
		default:
			return low + random.IntN(high-low+1)
		}
	}
}

// Explore runs calls at random, in blocks of several that run at the same time, and looks whether the invariants hold. A chaincode may refuse, and transactions
// may conflict. If an invariant doesn't hold, or a call panics or isn't deterministic, the test fails. It shows the shortest
// sequence that was found to lead there, as Go code, and the seed, by which CHAINCODETEST_SEED=1 go test does the same again. The
// ledger is afterwards what it was before.
//
//	net.Explore(chaincodetest.Exploration{
//		Calls: []chaincodetest.Call{
//			{As: clients, Chaincode: "token", Function: "Transfer", Args: []chaincodetest.Arg{chaincodetest.OneOf("alice", "bob"), chaincodetest.Between(-1, 100)}},
//		},
//		Invariants: map[string]func(*chaincodetest.Net) error{"supply": func(n *chaincodetest.Net) error { … }},
//	})
func (n *Net) Explore(e Exploration) {
	n.t.Helper()
	x := &explorer{Exploration: e, net: n}
	if err := x.prepare(); err != nil {
		n.fatal("Explore: %v", err)
	}
	start := n.Snapshot()
	defer n.Revert(start)
	steps, wrong := x.search()
	if wrong == "" {
		return
	}
	steps, wrong = x.shrink(start, steps, wrong)
	x.replay(start, steps)
	text := fmt.Sprintf("%s\n\nIt takes %s (%s=%d does the same again):\n\n%s\n", wrong, count(len(steps)), seedVariable, x.Seed, indent(code(steps)))
	for _, tx := range x.last {
		text += "\n    " + tx.call.chaincode + "." + tx.function + " by " + tx.client.name + "\n" + tx.report() + "\n"
	}
	n.t.Fatalf("%s", text)
}

func count(steps int) string {
	if steps == 1 {
		return "one transaction"
	}
	return fmt.Sprintf("%d transactions", steps)
}

// explorer explores.
type explorer struct {
	Exploration
	net    *Net
	random *rand.Rand
	seen   []string
	known  map[string]bool
	last   []*Tx // of the block that was run last
}

// step is a transaction of a sequence.
type step struct {
	client *Client
	call   *Call
	args   []any
	last   bool // it is the last one of its block
}

func (x *explorer) prepare() error {
	if len(x.Calls) == 0 {
		return errors.New("there are no Calls")
	}
	for _, c := range x.Calls {
		if len(c.As) == 0 || x.net.deployed.find(c.Chaincode) == nil {
			return errors.Errorf("Call %s.%s: want clients, and a chaincode that is deployed", c.Chaincode, c.Function)
		}
	}
	if x.Steps == 0 {
		x.Steps = 100
	}
	if x.Block == 0 {
		x.Block = 3
	}
	if text, ok := os.LookupEnv(seedVariable); ok {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return errors.Errorf("%s=%q: want a number", seedVariable, text)
		}
		x.Seed = seed
	}
	if x.Seed == 0 {
		x.Seed = rand.Uint64N(1_000_000) + 1
	}
	x.random, x.known = rand.New(rand.NewPCG(x.Seed, 0)), map[string]bool{} //nolint:gosec // it is to be repeated
	return nil
}

// search runs transactions until something is wrong, and returns those up to there.
func (x *explorer) search() ([]step, string) {
	var steps []step
	for len(steps) < x.Steps {
		begin := len(steps)
		for range 1 + x.random.IntN(x.Block) {
			steps = append(steps, x.choose())
		}
		steps[len(steps)-1].last = true
		if wrong := x.block(steps[begin:]); wrong != "" {
			return steps, wrong
		}
	}
	return nil, ""
}

func (x *explorer) choose() step {
	c := &x.Calls[x.random.IntN(len(x.Calls))]
	s := step{client: c.As[x.random.IntN(len(c.As))].In(x.net), call: c}
	for _, arg := range c.Args {
		v := arg(x.random, x.seen)
		s.args = append(s.args, v)
		x.learn(fmt.Sprint(v))
	}
	return s
}

// learn notes a text that later arguments may have.
func (x *explorer) learn(text string) {
	const most, longest = 1000, 100
	if text != "" && len(text) <= longest && len(x.seen) < most && !x.known[text] {
		x.known[text] = true
		x.seen = append(x.seen, text)
	}
}

// block runs transactions on the same state, at the same time, commits those that succeeded, and returns what is wrong then.
func (x *explorer) block(steps []step) string {
	x.last = nil
	for _, s := range steps {
		x.last = append(x.last, s.client.prepare("simulated", s.call.Chaincode, s.call.Function, s.args))
	}
	var running sync.WaitGroup
	for _, tx := range x.last {
		running.Go(func() { runner{tx}.run(context.Background()) })
	}
	running.Wait()
	var txs []*Tx
	for _, tx := range x.last {
		if wrong := tx.verdict(); wrong != "" {
			return wrong
		}
		if tx.failure() == "" {
			txs = append(txs, tx)
			x.learnFrom(tx)
		}
	}
	if len(txs) > 0 {
		x.net.commit(txs...)
		for _, tx := range txs {
			tx.asked.Store(true)
		}
	}
	for _, name := range sortedKeys(x.Invariants, nil) {
		if err := x.Invariants[name](x.net); err != nil {
			return fmt.Sprintf("invariant %q doesn't hold: %v", name, err)
		}
	}
	return ""
}

// learnFrom notes the keys and values that a transaction writes.
func (x *explorer) learnFrom(tx *Tx) {
	for _, w := range tx.rwset.namespace(tx.chaincode).public.GetWrites() {
		if !strings.HasPrefix(w.GetKey(), "\x00") {
			x.learn(w.GetKey())
		}
		v, ok := decodeJSON(w.GetValue())
		if !ok {
			continue
		}
		if fields, isObject := v.(map[string]any); isObject {
			for _, name := range sortedKeys(fields, nil) {
				if !composite(fields[name]) {
					x.learn(fmt.Sprint(fields[name]))
				}
			}
		}
	}
}
