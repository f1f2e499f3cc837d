package handler_test

import (
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
)

// What may happen to a transaction in each state, and where that leads, written without looking at the table. A + or - at the end
// says that something is left behind from then on, or no more.
var lives = map[string]map[string]string{
	"queued":     {"message goes out": "sent", "Execute returns": "closed"},
	"sent":       {"message was not sent": "unsent", "request": "serving", "COMPLETED or ERROR": "replied", "Execute returns": "closed"},
	"unsent":     {"Execute returns": "closed"},
	"idle":       {"request": "serving", "COMPLETED or ERROR": "ending", "worker breaks": "ending", "Execute returns": "givenUp"},
	"serving":    {"request was served": "idle", "COMPLETED or ERROR": "overtaken", "worker breaks": "ending", "Execute returns": "abandoned+"},
	"overtaken":  {"request was served": "ending", "worker breaks": "ending", "Execute returns": "deserted+"},
	"ending":     {"worker closes iterators": "closing", "worker leaves": "replied", "Execute returns": "givenUp"},
	"closing":    {"worker leaves": "replied", "Execute returns": "abandoning+"},
	"replied":    {"Execute returns": "closed"},
	"abandoned":  {"request was served": "givenUp-", "worker breaks": "givenUp-"},
	"deserted":   {"request was served": "givenUp-", "worker breaks": "givenUp-"},
	"givenUp":    {"worker closes iterators": "abandoning+", "worker leaves": "closed"},
	"abandoning": {"worker leaves": "closed-"},
	"closed":     {},
}

// Every event in every state of a transaction: a legal one leads where it should, one that is not changes nothing.
func TestEveryEventInEveryStateOfATransaction(t *testing.T) {
	legal := 0
	for state := range handler.TransactionStates {
		for event := range handler.TransactionEvents {
			from, what, to, ok, left := handler.Transition(state, event)
			want, may := lives[from][what]
			got := to
			switch {
			case left > 0:
				got += "+"
			case left < 0:
				got += "-"
			}
			switch {
			case ok != may:
				t.Errorf("%q in %s: legal %t, want %t", what, from, ok, may)
			case ok && got != want:
				t.Errorf("%q in %s leads to %s, want %s", what, from, got, want)
			case !ok && got != from:
				t.Errorf("%q, which is not legal in %s, leads to %s", what, from, got)
			}
			if ok {
				legal++
			}
		}
	}
	if n := 0; true {
		for _, events := range lives {
			n += len(events)
		}
		if legal != n {
			t.Errorf("%d transitions are legal, want %d: the names have changed", legal, n)
		}
	}
}

// From every state a transaction can reach its end.
func TestEveryTransactionCanEnd(t *testing.T) {
	ends := []string{"closed"}
	for n := 0; n != len(ends); {
		n = len(ends)
		for state := range handler.TransactionStates {
			for event := range handler.TransactionEvents {
				from, _, to, ok, _ := handler.Transition(state, event)
				if ok && slices.Contains(ends, to) && !slices.Contains(ends, from) {
					ends = append(ends, from)
				}
			}
		}
	}
	if len(ends) != handler.TransactionStates {
		t.Errorf("only these states lead to the end: %v", ends)
	}
}
