package interop_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// sendKeepalive has the peer send KEEPALIVE messages.
func sendKeepalive(interval time.Duration) setting {
	return func(c *chaincodesupport.Config) { c.Keepalive = interval }
}

// goShims leaves those on Node out.
func goShims(some []secured) []secured {
	return slices.DeleteFunc(slices.Clone(some), func(s secured) bool { return strings.HasPrefix(s.family.name, "node") })
}

// S6: where KEEPALIVE messages are asked for, Go's shims answer each, also in the middle of a transaction, and live on.
func TestKeepaliveMessages(t *testing.T) {
	t.Parallel()
	atOnce(t, goShims(slices.Concat(securedShims(t), secureServers(t))), func(t *testing.T, s secured) {
		p := newWatched(t, s, nil, sendKeepalive(500*time.Millisecond))
		before := p.status()
		held := p.start(t.Context(), "PutState k v ; Wait end ; GetState k")
		p.trace.awaitThat(t, "fifth echo", func(lines []string) bool { return len(matching(lines, "^a> KEEPALIVE")) >= 5 })
		said := p.trace.take()
		if sent, echoes := len(matching(said, "^a< KEEPALIVE")), len(matching(said, "^a> KEEPALIVE")); sent < echoes {
			t.Errorf("%d messages, %d echoes", sent, echoes)
		}
		p.text("Signal end")
		wantSuccess(t, <-held, "")
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
		p.wantUndisturbed(before)
	})
}

// F30: a shim that no longer answers them is given up, long before its connection is.
func TestKeepaliveMessagesUnanswered(t *testing.T) {
	t.Parallel()
	atOnce(t, goShims(slices.Concat(securedShims(t), secureServers(t))), func(t *testing.T, s secured) {
		p := newWatched(t, s, func(c *process.Config) { c.Grace = time.Second }, sendKeepalive(500*time.Millisecond))
		p.text("GetTxID")
		p.freeze()
		p.wantRelaunch(10 * time.Second)
	})
}

// S6: every Node shim exits on a KEEPALIVE message. That is why there are none by default.
func TestKeepaliveMessagesEndNode(t *testing.T) {
	t.Parallel()
	var node []secured
	for _, s := range slices.Concat(securedShims(t), secureServers(t)) {
		if strings.HasPrefix(s.family.name, "node") {
			node = append(node, s)
		}
	}
	atOnce(t, node, func(t *testing.T, s secured) {
		p := newWatched(t, s, nil, sendKeepalive(200*time.Millisecond))
		p.awaitStatus("KEEPALIVE", 20*time.Second, func(s chaincodesupport.Status) bool { return s.State == chaincodesupport.Stopped })
		var exit *process.ExitError
		if why := p.status().LastError; !errors.As(why, &exit) {
			t.Errorf("it has ended with %v", why)
		}
		said := p.trace.take()
		if len(matching(said, "^a< KEEPALIVE")) == 0 || len(matching(said, "^a> KEEPALIVE")) > 0 {
			t.Errorf("on its stream was %q", said)
		}
	})
}
