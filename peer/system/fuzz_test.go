package system_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Whatever a client sends, there is an answer: a success, or an error with a text. It is an error of the call only if the text can't be
// in a message, or if the shim can't read the proposal.
func FuzzCall(f *testing.F) {
	p := newPeer(f)
	block := marshal(f, genesis(f, "new", nil))
	f.Add("cscc", []byte("JoinChain"), block, []byte(nil), []byte(nil))
	f.Add("qscc", []byte("GetBlockByNumber"), []byte("mychannel"), []byte("1"), []byte("\n\x00\x12\x02\n\x00"))
	f.Fuzz(func(t *testing.T, name string, function, second, third, proposal []byte) {
		p.t, p.asked, p.joined = t, nil, nil
		if name != "qscc" && name != "cscc" {
			return
		}
		var in chaincodesupport.Input
		for _, a := range [][]byte{function, second, third} {
			if a != nil {
				in.Args = append(in.Args, a)
			}
		}
		signed := &pb.SignedProposal{ProposalBytes: proposal}
		if len(proposal) == 0 {
			signed = p.propose(name, in.Args).Signed
		}
		r, err := p.support.Execute(t.Context(), name, handler.TxParams{TxID: "tx", SignedProposal: signed}, in)
		switch {
		case err != nil && strings.Contains(err.Error(), "failed to create new ChaincodeStub"):
		case err != nil:
			isNoText(t, err)
		case r.Status != 200 && (r.Status != 500 || r.Message == "" || r.Payload != nil):
			t.Errorf("%q: %+v", in.Args, r)
		}
	})
}
