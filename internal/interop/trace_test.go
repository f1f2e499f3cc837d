package interop_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/transcript"
	pb "github.com/ccpeer/ccpeer/proto"
)

// trace writes down what peer and chaincodes say, a line for each message:
//
//	a> GET_STATE tx1 key:"k"
//	a< RESPONSE tx1 "v"
//
// and a line "fault NAME" for each fault.
type trace struct {
	mu      sync.Mutex
	streams map[string]*transcript.Stream
	names   []string // of transactions: ID and name, in turn
	lines   []string
	more    chan struct{} // closed, and replaced, when there is another line
}

var (
	_ handler.MessageObserver = (*trace)(nil)
	_ handler.FaultObserver   = (*trace)(nil)
)

func newTrace() *trace {
	return &trace{streams: map[string]*transcript.Stream{}, more: make(chan struct{})}
}

// call gives a transaction a name that is easier to read than its ID.
func (tr *trace) call(txID, name string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.names = append(tr.names, txID, name)
}

// rename puts names in the place of IDs.
func (tr *trace) rename(text string) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.NewReplacer(tr.names...).Replace(text)
}

// Message implements handler.MessageObserver.
func (tr *trace) Message(chaincodeID string, d handler.Direction, m *pb.ChaincodeMessage) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if chaincodeID == "" { // not yet registered
		var id pb.ChaincodeID
		if proto.Unmarshal(m.Payload, &id) == nil {
			chaincodeID = id.Name
		}
	}
	name, _, _ := strings.Cut(chaincodeID, ":")
	s := tr.streams[name]
	if s == nil {
		s = new(transcript.Stream)
		tr.streams[name] = s
	}
	if len(m.Payload) >= 1_000_000 {
		tr.add(fmt.Sprintf("%s%s with %d MB", arrow(name, d), m.Type, len(m.Payload)/1_000_000))
		return
	}
	text := s.Format(sorted(m))
	if d == handler.Received && m.Type != pb.ChaincodeMessage_COMPLETED {
		// It remembers the question, to read the answer.
		if _, err := s.Parse(text); err != nil {
			text += " unreadable: " + err.Error()
		}
	}
	if n := many(m); n != "" {
		text = m.Type.String() + " " + m.Txid + " " + n
	}
	if runes := []rune(text); len(runes) > 500 && m.Type != pb.ChaincodeMessage_WRITE_BATCH_STATE {
		text = string(runes[:200]) + " … " + string(runes[len(runes)-50:])
	}
	tr.add(arrow(name, d) + text)
}

// sorted returns a message whose batch of writes, if it is one, is in the order of its keys: the shims send them in any.
func sorted(m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
	var batch pb.WriteBatchState
	if m.Type != pb.ChaincodeMessage_WRITE_BATCH_STATE || proto.Unmarshal(m.Payload, &batch) != nil {
		return m
	}
	slices.SortFunc(batch.Rec, func(a, b *pb.WriteRecord) int {
		return cmp.Or(cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Type, b.Type))
	})
	b, err := proto.Marshal(&batch)
	if err != nil {
		return m
	}
	return &pb.ChaincodeMessage{Type: m.Type, Txid: m.Txid, ChannelId: m.ChannelId, Payload: b}
}

// many says how many writes or keys are in a message, if they are more than can be shown.
func many(m *pb.ChaincodeMessage) string {
	const few = 10
	var batch pb.WriteBatchState
	var keys pb.GetStateMultiple
	switch {
	case m.Type == pb.ChaincodeMessage_WRITE_BATCH_STATE && proto.Unmarshal(m.Payload, &batch) == nil && len(batch.Rec) > few:
		return fmt.Sprintf("%d writes", len(batch.Rec))
	case m.Type == pb.ChaincodeMessage_GET_STATE_MULTIPLE && proto.Unmarshal(m.Payload, &keys) == nil && len(keys.Keys) > few:
		return fmt.Sprintf("%d keys", len(keys.Keys))
	}
	return ""
}

func arrow(name string, d handler.Direction) string {
	if d == handler.Received {
		return name + "> "
	}
	return name + "< "
}

// Fault implements handler.FaultObserver.
func (tr *trace) Fault(f handler.Fault) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.add("fault " + f.Kind.String())
}

func (tr *trace) add(line string) {
	line = strings.NewReplacer(tr.names...).Replace(line)
	tr.lines = append(tr.lines, strings.NewReplacer("\x00", `\x00`, "\U0010ffff", `\U0010ffff`).Replace(line))
	close(tr.more)
	tr.more = make(chan struct{})
}

// take returns the lines since it was last called.
func (tr *trace) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines := tr.lines
	tr.lines = nil
	return lines
}

// await returns when there is a line, since take was last called.
func (tr *trace) await(t testing.TB, line string) {
	t.Helper()
	tr.awaitThat(t, fmt.Sprintf("line %q", line), func(lines []string) bool { return slices.Contains(lines, line) })
}

// awaitThat returns when the lines since take was last called have something.
func (tr *trace) awaitThat(t testing.TB, what string, have func(lines []string) bool) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		tr.mu.Lock()
		lines, more := slices.Clone(tr.lines), tr.more
		tr.mu.Unlock()
		if have(lines) {
			return
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("there is no %s in\n%s", what, strings.Join(lines, "\n"))
		}
	}
}

// matching returns the lines that match a pattern.
func matching(lines []string, pattern string) []string {
	re := regexp.MustCompile(pattern)
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !re.MatchString(l) })
}
