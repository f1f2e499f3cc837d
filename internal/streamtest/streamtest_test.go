package streamtest_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/streamtest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(txID string) *pb.ChaincodeMessage { return &pb.ChaincodeMessage{Txid: txID} }

func TestScriptIsPlayedInOrder(t *testing.T) {
	s := streamtest.New()
	broken := errors.New("broken")
	s.Deliver(message("1"), message("2"))
	s.CloseSend()
	s.Fail(broken)
	for i, want := range []struct {
		txID string
		err  error
	}{{"1", nil}, {"2", nil}, {"", io.EOF}, {"", broken}} {
		m, err := s.Recv()
		if m.GetTxid() != want.txID || !errors.Is(err, want.err) {
			t.Errorf("Recv %d: got %v, %v, want %q, %v", i, m, err, want.txID, want.err)
		}
	}
}

func TestSentIsACopy(t *testing.T) {
	s := streamtest.New()
	m := message("1")
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
	m.Txid = "changed"
	if got := s.Next(); got.GetTxid() != "1" {
		t.Errorf("got %v", got)
	}
	if left := s.Sent(); len(left) != 0 {
		t.Errorf("%d messages are left", len(left))
	}
}

func TestOnSendFails(t *testing.T) {
	s := streamtest.New()
	broken := errors.New("broken")
	s.OnSend(func(*pb.ChaincodeMessage) error { return broken })
	if err := s.Send(message("1")); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	s.OnSend(nil)
	if err := s.Send(message("2")); err != nil {
		t.Error(err)
	}
	if sent := s.Sent(); len(sent) != 1 || sent[0].Txid != "2" {
		t.Errorf("sent %v", sent)
	}
}

func TestEndReleasesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := streamtest.New()
		s.Block(nil)
		errs := make(chan error, 3)
		go func() { errs <- s.Send(message("1")) }()
		go func() { _, err := s.Recv(); errs <- err }()
		go func() {
			if m := s.Next(); m != nil {
				t.Errorf("Next returned %v", m)
			}
			errs <- streamtest.ErrEnded
		}()
		synctest.Wait()
		if len(errs) != 0 {
			t.Fatal("an operation didn't wait")
		}
		s.End()
		synctest.Wait()
		for range 3 {
			if err := <-errs; !errors.Is(err, streamtest.ErrEnded) {
				t.Errorf("got %v", err)
			}
		}
	})
}
