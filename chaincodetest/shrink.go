package chaincodetest

import (
	"fmt"
	"slices"
	"strings"
)

// shrink looks for a shorter sequence that leads to something wrong, too. It leaves out longer and then shorter parts, ends blocks
// early, and makes numbers smaller, as long as anything of that helps.
func (x *explorer) shrink(start *Snapshot, steps []step, wrong string) ([]step, string) {
	for better := true; better; {
		better = false
		for _, candidate := range smaller(steps) {
			if text := x.replay(start, candidate); text != "" {
				steps, wrong, better = candidate, text, true
				break
			}
		}
	}
	return steps, wrong
}

// replay runs a sequence from the start, and returns what is wrong at its end.
func (x *explorer) replay(start *Snapshot, steps []step) string {
	x.net.Revert(start)
	for len(steps) > 0 {
		end := 1 + slices.IndexFunc(steps, func(s step) bool { return s.last })
		if wrong := x.block(steps[:end]); wrong != "" {
			return wrong
		}
		steps = steps[end:]
	}
	return ""
}

// smaller returns sequences that are simpler than one, the much simpler ones first.
func smaller(steps []step) [][]step {
	var all [][]step
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(steps); at += size {
			rest := append(slices.Clone(steps[:at]), steps[at+size:]...)
			if len(rest) > 0 {
				rest[len(rest)-1].last = true
				all = append(all, rest)
			}
		}
	}
	for i, s := range steps {
		if !s.last {
			all = append(all, with(steps, i, func(s *step) { s.last = true }))
		}
		for j, arg := range s.args {
			if n, ok := arg.(int); ok && n != 0 {
				for _, m := range []int{0, n / 2, n - sign(n)} {
					if m != n {
						all = append(all, with(steps, i, func(s *step) { s.args = slices.Clone(s.args); s.args[j] = m }))
					}
				}
			}
		}
	}
	return all
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// with returns a sequence with one step changed.
func with(steps []step, i int, change func(*step)) []step {
	changed := slices.Clone(steps)
	change(&changed[i])
	return changed
}

// code writes a sequence as Go code.
func code(steps []step) []string {
	var lines []string
	var names []string // of the transactions of the block
	for i, s := range steps {
		args := []string{fmt.Sprintf("%q", s.call.Chaincode), fmt.Sprintf("%q", s.call.Function)}
		for _, a := range s.args {
			args = append(args, fmt.Sprintf("%#v", a))
		}
		client, _, _ := strings.Cut(s.client.name, "@")
		call := strings.Join(args, ", ")
		if s.last && len(names) == 0 {
			lines = append(lines, fmt.Sprintf("%s.Submit(%s)", client, call))
			continue
		}
		name := fmt.Sprintf("tx%d", i+1)
		names = append(names, name)
		lines = append(lines, fmt.Sprintf("%s := %s.Simulate(%s)", name, client, call))
		if s.last {
			lines = append(lines, fmt.Sprintf("net.Commit(%s)", strings.Join(names, ", ")))
			names = nil
		}
	}
	return lines
}
