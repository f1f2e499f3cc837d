package shim

import pb "github.com/ccpeer/ccpeer/proto"

// RaceFinish has a transaction finish while a request of it begins. It reports whether the request was allowed although
// the transaction had finished before: finished was set, and the slot seen free, and then the request got the slot.
func RaceFinish() (late bool) {
	t := newTransaction(&handler{}, &pb.ChaincodeMessage{})
	begin, asked := make(chan struct{}), make(chan error)
	go func() {
		close(begin)
		asked <- t.acquire()
	}()
	<-begin
	t.finished.Store(true)
	free := len(t.slot) == 0
	return <-asked == nil && free
}
