package handler_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/transcript"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestTranscripts(t *testing.T) {
	transcript.Run(t, "testdata/*.txt", func(t *testing.T, play func(*testing.T, transcript.Player)) {
		synctest.Test(t, func(t *testing.T) {
			p := newPlayer(t)
			defer p.close()
			play(t, p)
		})
	})
}

// player plays a transcript. Its lines:
//
//	> MESSAGE             the chaincode says; another one than the first has a name before the >
//	connect NAME          another chaincode connects, under that name in the transcript
//	config KEY=VALUE …    before anything else: strict, id, execute, register, keepalive, limit, queries, depth, and the
//	                      keys of configureHook
//	commit KEY=VALUE …    the ledger has values, of namespace cc; an empty one deletes
//	private COLL KEY=VALUE …  the same in a collection
//	metadata NAMESPACE/KEY NAME=VALUE …  a key of the ledger has metadata
//	plain                 the ledger has no optional interface
//	writes                what the latest simulator was given to write
//	rows N                the ledger has N values
//	fault METHOD KIND     the ledger fails: error, panic, nil, block (until release)
//	release               what is blocked goes on
//	execute TXID [WORD …] a transaction runs on a chaincode; without ledger (nil), without proposal (noproposal), as init
//	cancel TXID           its caller has gone
//	wait DURATION         time passes
//	hangup, break, cut    the chaincode closes the stream; receiving fails; the connection's context ends
//	nil                   receiving returns neither a message nor an error
//	refuse                sending fails from now on
//	close                 the peer closes the stream
type player struct {
	*peer
	streams []*speaker
	calls   map[string]*running // the latest of each name
	running []*running          // in the order in which they started
	blocked chan struct{}

	showWrites bool // when something is observed the next time
}

// speaker is a chaincode under the name that it has in the transcript; that of the first one is empty.
type speaker struct {
	*chaincode
	transcript.Stream
	name  string
	state handler.State
	over  bool
}

// running is a transaction whose result has not been written.
type running struct {
	*call
	name   string
	cancel context.CancelFunc
}

func newPlayer(t *testing.T) *player {
	return &player{peer: newPeer(t), calls: map[string]*running{}, blocked: make(chan struct{})}
}

// close ends what is left of a conversation.
func (p *player) close() {
	close(p.blocked)
	for _, s := range p.streams {
		if !s.over {
			s.stop()
		} else {
			s.wait()
		}
	}
	for _, x := range p.running {
		<-x.done
		x.cancel()
	}
	synctest.Wait()
	p.check()
}

// Play implements transcript.Player.
func (p *player) Play(line string) ([]string, error) {
	if name, said, ok := strings.Cut(line, "> "); ok && !strings.Contains(name, " ") {
		s, err := p.speaker(name)
		if err != nil {
			return nil, err
		}
		m, err := s.Parse(said)
		if err != nil {
			return nil, err
		}
		s.Deliver(m)
	} else if err := p.do(strings.Fields(line)); err != nil {
		return nil, err
	}
	synctest.Wait()
	return p.observe(), nil
}

// speaker finds a chaincode by name. The first one connects when it is needed.
func (p *player) speaker(name string) (*speaker, error) {
	for _, s := range p.streams {
		if s.name == name {
			return s, nil
		}
	}
	if name != "" {
		return nil, errors.Errorf("chaincode %q is not connected", name)
	}
	return p.connectAs(""), nil
}

func (p *player) connectAs(name string) *speaker {
	s := &speaker{chaincode: p.connect(), name: name}
	p.streams = append(p.streams, s)
	return s
}

func (p *player) do(words []string) error {
	switch verb, args := words[0], words[1:]; verb {
	case "connect":
		p.connectAs(strings.Join(args, ""))
	case "config":
		return p.configure(args)
	case "commit":
		for _, arg := range args {
			key, value, _ := strings.Cut(arg, "=")
			p.memory[channel].put("cc", key, value)
		}
	case "private":
		for _, arg := range args[1:] {
			key, value, _ := strings.Cut(arg, "=")
			p.memory[channel].put(private("cc", args[0]), key, value)
		}
	case "metadata":
		m := map[string][]byte{}
		for _, arg := range args[1:] {
			name, value, _ := strings.Cut(arg, "=")
			m[name] = []byte(value)
		}
		p.memory[channel].metadata[args[0]] = m
	case "plain":
		p.memory[channel].plain = true
	case "writes":
		p.showWrites = true
	case "rows":
		n, err := strconv.Atoi(args[0])
		for i := range n {
			p.memory[channel].put("cc", fmt.Sprintf("k%03d", i), "v")
		}
		return err
	case "fault":
		return p.fail(args[0], args[1])
	case "release":
		close(p.blocked)
		p.blocked = make(chan struct{})
	case "execute":
		return p.start(args)
	case "cancel":
		p.calls[args[0]].cancel()
	case "wait":
		d, err := time.ParseDuration(args[0])
		<-time.After(d)
		return err
	default:
		return p.end(verb, strings.Join(args, ""))
	}
	return nil
}

// end makes a stream end, or get ready for it.
func (p *player) end(verb, name string) error {
	s, err := p.speaker(name)
	if err != nil {
		return err
	}
	switch verb {
	case "hangup":
		s.CloseSend()
	case "break":
		s.Fail(errors.New("connection reset"))
	case "nil":
		s.Do(func() (*pb.ChaincodeMessage, error) { return nil, nil })
	case "cut":
		s.cancel()
	case "refuse":
		s.OnSend(func(*pb.ChaincodeMessage) error { return errors.New("broken pipe") })
	case "close":
		s.h.Close()
	default:
		return errors.Errorf("%q is nothing that can be done", verb)
	}
	return nil
}

func (p *player) configure(args []string) error {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value)
		d, _ := time.ParseDuration(value)
		switch key {
		case "strict":
			p.cfg.Strict = true
		case "id":
			p.cfg.ChaincodeID = value
		case "execute":
			p.cfg.ExecuteTimeout = d
		case "register":
			p.cfg.RegisterTimeout = d
		case "keepalive":
			p.cfg.Keepalive = d
		case "limit":
			p.cfg.TotalQueryLimit = n
		case "queries":
			p.cfg.MaxQueries = n
		case "depth":
			p.cfg.MaxCallDepth = n
		case "batch":
			p.cfg.Offer.WriteBatch = n
		case "multiple":
			p.cfg.Offer.MultipleKeys = n
		default:
			if err := p.configureHook(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// configureHook says what a hook answers: acl and collections may be "none", which leaves the hook out; otherwise acl is
// the error's text, or nothing, and collections say r, w, rw or nothing. capabilities are words joined by a comma, or "none".
func (p *player) configureHook(key, value string) error {
	switch key {
	case "nobatch":
		p.cfg.Offer.WriteBatch = -1
	case "nomultiple":
		p.cfg.Offer.MultipleKeys = -1
	case "acl":
		p.cfg.ACL = acl(value)
		if value == "none" {
			p.cfg.ACL = nil
		}
	case "collections":
		p.cfg.CollectionStore = collections(value)
		if value == "none" {
			p.cfg.CollectionStore = nil
		}
	case "capabilities":
		p.cfg.ApplicationConfig = capabilities(value)
	case "builtin":
		p.cfg.Builtins = []string{value}
	default:
		return errors.Errorf("%q can't be configured", key)
	}
	return nil
}

func (p *player) fail(method, kind string) error {
	faults := map[string]ledgertest.Fault{
		"error": ledgertest.Fail(errors.New("disk on fire")),
		"panic": ledgertest.Panic("secret"),
		"nil":   ledgertest.ReturnNil(),
		"block": ledgertest.Hang(p.blocked),
		"none":  nil,
	}
	fault, ok := faults[kind]
	if !ok {
		return errors.Errorf("%q is no kind of fault", kind)
	}
	for _, l := range p.ledgers {
		l.On(ledgertest.Method(method), fault)
	}
	return nil
}

func (p *player) start(args []string) error {
	s, err := p.speaker("")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	txID, channelID := transcript.Transaction(args[0])
	typ, params := pb.ChaincodeMessage_TRANSACTION, handler.TxParams{ChannelID: channelID, TxID: txID}
	if !slices.Contains(args, "nil") {
		params = p.simulate(txID, channelID)
	}
	if slices.Contains(args, "init") {
		typ = pb.ChaincodeMessage_INIT
	}
	if slices.Contains(args, "noproposal") {
		params.SignedProposal = nil
	}
	x := &running{call: &call{done: make(chan struct{})}, name: args[0], cancel: cancel}
	p.calls[x.name] = x
	p.running = append(p.running, x)
	go func() {
		defer close(x.done)
		if params.Simulation != nil {
			defer params.Simulation.Done()
		}
		x.reply, x.err = s.h.Execute(ctx, params, typ, &pb.ChaincodeInput{Args: [][]byte{[]byte("run")}})
	}()
	return nil
}

// observe returns what has happened since it was last called.
func (p *player) observe() []string {
	var lines []string
	for _, s := range p.streams {
		label := s.name
		if label != "" {
			label += " "
		}
		for _, m := range s.Sent() {
			lines = append(lines, s.name+"< "+s.Format(m))
		}
		if s.h != nil && s.h.State() != s.state {
			s.state = s.h.State()
			lines = append(lines, label+"state "+string(s.state))
		}
		select {
		case e := <-s.ended:
			s.over = true
			lines = append(lines, label+"end "+reason(e.err))
		default:
		}
	}
	if p.showWrites {
		p.showWrites = false
		writes := p.memory[channel].last.Load().writes
		for _, key := range slices.Sorted(maps.Keys(writes)) {
			lines = append(lines, fmt.Sprintf("write %q %q", key, writes[key]))
		}
	}
	return append(lines, p.results()...)
}

func (p *player) results() []string {
	var lines []string
	p.running = slices.DeleteFunc(p.running, func(x *running) bool {
		select {
		case <-x.done:
		default:
			return false
		}
		x.cancel()
		text := fmt.Sprintf("error %q", fmt.Sprint(x.err))
		if x.err == nil {
			text = (&transcript.Stream{}).Format(x.reply)
		}
		lines = append(lines, "result "+x.name+" "+text)
		return true
	})
	return lines
}

// reason is why a stream ended, as the chaincode is told.
func reason(err error) string {
	if err == io.EOF {
		return "EOF"
	}
	st := status.Convert(err)
	return fmt.Sprintf("%s %q", st.Code(), plain(st.Message()))
}
