package shim

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// iterator yields the results of a query, which arrive a page at a time. T is what a result unmarshals to.
//
// As the official shim does, it asks for the next page when the last result of a page is taken, so that HasNext needs
// no request. The peer has closed the query itself when it says that there is no more.
type iterator[T any, P interface {
	*T
	proto.Message
}] struct {
	tx   *transaction
	page *pb.QueryResponse
	next int   // in page.Results
	err  error // met while fetching a page: what Next returns after the last result before it
}

var (
	_ StateQueryIteratorInterface   = (*iterator[pb.KV, *pb.KV])(nil)
	_ HistoryQueryIteratorInterface = (*iterator[pb.KeyModification, *pb.KeyModification])(nil)
)

func newIterator[T any, P interface {
	*T
	proto.Message
}](tx *transaction, first *pb.QueryResponse) *iterator[T, P] {
	return &iterator[T, P]{tx: tx, page: first, err: checkPage(first)}
}

// checkPage refuses a page that would make no progress.
func checkPage(page *pb.QueryResponse) error {
	if page.GetHasMore() && len(page.GetResults()) == 0 {
		return errors.New("invalid iterator state: the peer announced more results and sent none")
	}
	return nil
}

// HasNext implements CommonIteratorInterface.
func (it *iterator[T, P]) HasNext() bool {
	return it.next < len(it.page.GetResults()) || it.err != nil
}

// Next returns the next result.
func (it *iterator[T, P]) Next() (P, error) {
	results := it.page.GetResults()
	if it.next == len(results) {
		if it.err != nil {
			return nil, it.err
		}
		return nil, errors.New("no such key")
	}
	result := P(new(T))
	if err := proto.Unmarshal(results[it.next].GetResultBytes(), result); err != nil {
		return nil, errors.Wrap(err, "error unmarshaling result from bytes")
	}
	it.next++
	if it.next == len(results) && it.page.GetHasMore() {
		it.fetch()
	}
	return result, nil
}

func (it *iterator[T, P]) fetch() {
	page, err := it.tx.query(pb.ChaincodeMessage_QUERY_STATE_NEXT, &pb.QueryStateNext{Id: it.page.GetId()})
	if err != nil {
		it.err = err
		return
	}
	it.page, it.next, it.err = page, 0, checkPage(page)
}

// Close implements CommonIteratorInterface.
func (it *iterator[T, P]) Close() error {
	page := it.page
	it.page, it.next, it.err = nil, 0, nil
	if !page.GetHasMore() {
		return nil // the peer has closed it, or this method has
	}
	_, err := it.tx.query(pb.ChaincodeMessage_QUERY_STATE_CLOSE, &pb.QueryStateClose{Id: page.GetId()})
	if errors.Is(err, ErrTransactionFinished) {
		return nil // the peer closes what a transaction leaves open
	}
	return err
}
