package mango

import (
	"context"
	"slices"
	"strings"
)

// workStep is how much work is done between two looks at the context. A unit is a value that is compared, a byte that is
// decoded, or an instruction of a regular expression on a character. None takes more than a microsecond or so.
const workStep = 1 << 12

// work is what one call spends. Chaincode chooses how long its queries and values are, and so how long each loop over them
// takes. So every such loop spends from here, which looks at the context once in a while. After that has ended, or a limit was met,
// results mean nothing and everybody hurries home. A nil work never ends.
type work struct {
	ctx  context.Context
	left int // until the next look
	err  error
}

func newWork(ctx context.Context) *work { return &work{ctx: ctx, left: workStep} }

// spend notes n units of work, and says whether there may be more.
func (w *work) spend(n int) bool {
	if w == nil {
		return true
	}
	if w.left -= n; w.left <= 0 {
		w.left = workStep
		return w.look()
	}
	return w.err == nil
}

// look looks at the context now.
func (w *work) look() bool {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	return w.err == nil
}

// fail ends the work.
func (w *work) fail(err error) {
	if w != nil && w.err == nil {
		w.err = err
	}
}

// ended returns what has ended the work, or nil.
func (w *work) ended() error {
	if w == nil {
		return nil
	}
	return w.err
}

// sort sorts a list. When the work has ended all are taken for equal, which soon ends a sort.
func sort[T any](w *work, list []T, compare func(a, b T) int) {
	slices.SortFunc(list, func(a, b T) int {
		if !w.spend(1) {
			return 0
		}
		return compare(a, b)
	})
}

// sortedNames returns the names of an object's members in their order.
func sortedNames(w *work, object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		if !w.spend(1) {
			return nil
		}
		names = append(names, name)
	}
	sort(w, names, strings.Compare)
	return names
}
