package handler_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	modelMessages = flag.Int("model", 10_000, "how many steps the reference model takes")
	modelSeed     = flag.Uint64("model.seed", 0, "the seed of the reference model's steps; 0: another one each time")
)

// modelOp is what is done in a step.
type modelOp string

const (
	opExecute   modelOp = "execute"
	opRead      modelOp = "read"
	opHold      modelOp = "read, held up by the ledger"
	opComplete  modelOp = "COMPLETED"
	opFail      modelOp = "ERROR"
	opKeepalive modelOp = "KEEPALIVE"
	opRelease   modelOp = "ledger goes on"
	opCancel    modelOp = "caller cancels"
	opWait      modelOp = "7 s pass"
	opWaitLong  modelOp = "61 s pass"
	opImpostor  modelOp = "another stream registers"
	opEnd       modelOp = "READY"

	opRange        modelOp = "range"
	opNext         modelOp = "next page"
	opNextForeign  modelOp = "next page, of another transaction's iterator"
	opCloseQuery   modelOp = "close iterator"
	opCloseForeign modelOp = "close another transaction's iterator"
	opPut          modelOp = "put"
	opDelete       modelOp = "delete"
	opPutEmpty     modelOp = "put to the empty key"
	opBatch        modelOp = "batch of writes"
	opCall         modelOp = "call"
	opCallSelf     modelOp = "call of itself"
	opCallNobody   modelOp = "call of nobody"

	opCalleeReads     modelOp = "callee reads"
	opCalleeCompletes modelOp = "callee COMPLETED"
	opCalleeFails     modelOp = "callee ERROR"
	opCalleeEnds      modelOp = "callee READY"
)

// modelStep is one step. Each makes sense whatever came before, so a sequence stays one when some are left out.
type modelStep struct {
	op              modelOp
	txID, channelID string
}

func (s modelStep) String() string { return fmt.Sprintf("%s %s/%s", s.op, s.channelID, s.txID) }

// often is how often each step is taken.
var often = []struct {
	op     modelOp
	weight int
}{
	{opExecute, 25}, {opRead, 22}, {opHold, 10}, {opComplete, 12}, {opFail, 4}, {opKeepalive, 4}, {opRelease, 12},
	{opCancel, 5}, {opWait, 3}, {opWaitLong, 1}, {opImpostor, 1}, {opEnd, 1},
	{opRange, 10}, {opNext, 8}, {opNextForeign, 2}, {opCloseQuery, 4}, {opCloseForeign, 2},
	{opPut, 3}, {opDelete, 2}, {opPutEmpty, 2}, {opBatch, 2},
	{opCall, 14}, {opCallSelf, 2}, {opCallNobody, 2}, {opCalleeReads, 6}, {opCalleeCompletes, 9}, {opCalleeFails, 3}, {opCalleeEnds, 1},
}

// randomSteps returns n steps over a few transactions, which so meet often.
func randomSteps(r *rand.Rand, n int) []modelStep {
	var ops []modelOp
	for _, o := range often {
		ops = append(ops, slices.Repeat([]modelOp{o.op}, o.weight)...)
	}
	steps := make([]modelStep, n)
	for i := range steps {
		steps[i] = modelStep{ops[r.IntN(len(ops))], string(rune('a' + r.IntN(3))), []string{channel, "other"}[r.IntN(2)]}
	}
	return steps
}

// shrink leaves out what the failure doesn't need.
func shrink(t *testing.T, steps []modelStep) []modelStep {
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(steps); {
			fewer := slices.Delete(slices.Clone(steps), at, at+size)
			if n, err := playModel(t, fewer); err != nil {
				steps = fewer[:n]
			} else {
				at += size
			}
		}
	}
	return steps
}

// I1, I3, I4, F7, F9, F19, F20, F21, F23, F25, F26, F42, F43, F44, F45, F46, F49, F69, F76: whatever a chaincode sends in whatever order, and whatever its callers and the
// ledger do meanwhile, the peer does what the model says, step by step.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	const length = 200
	for done, round := 0, uint64(0); done < *modelMessages; done, round = done+length, round+1 {
		steps := randomSteps(rand.New(rand.NewPCG(seed, round)), length)
		n, err := playModel(t, steps)
		if err == nil {
			continue
		}
		steps = shrink(t, steps[:n])
		_, err = playModel(t, steps)
		var text strings.Builder
		for _, s := range steps {
			fmt.Fprintf(&text, "\n\t%s", s)
		}
		t.Fatalf("-model.seed %d, round %d: %v, after%s", seed, round, err, &text)
	}
}
