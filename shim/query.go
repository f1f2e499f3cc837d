package shim

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

func (s *stub) GetStateByRange(startKey, endKey string) (StateQueryIteratorInterface, error) {
	start, end, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, err
	}
	return s.rows(pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: start, EndKey: end})
}

func (s *stub) GetStateByRangeWithPagination(startKey, endKey string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	start, end, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, nil, err
	}
	return s.rangePage(start, end, &pb.QueryMetadata{PageSize: pageSize, Bookmark: bookmark})
}

func (s *stub) GetStateByPartialCompositeKey(objectType string, attributes []string) (StateQueryIteratorInterface, error) {
	start, end, err := compositeRange(objectType, attributes)
	if err != nil {
		return nil, err
	}
	return s.rows(pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: start, EndKey: end})
}

func (s *stub) GetStateByPartialCompositeKeyWithPagination(objectType string, attributes []string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	start, end, err := compositeRange(objectType, attributes)
	if err != nil {
		return nil, nil, err
	}
	return s.rangePage(start, end, &pb.QueryMetadata{PageSize: pageSize, Bookmark: bookmark})
}

func (s *stub) GetAllStatesCompositeKeyWithPagination(pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	return s.rangePage(compositePrefix, compositePrefix+maxRune, &pb.QueryMetadata{PageSize: pageSize, Bookmark: bookmark})
}

func (s *stub) GetQueryResult(query string) (StateQueryIteratorInterface, error) {
	return s.rows(pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Query: query})
}

func (s *stub) GetQueryResultWithPagination(query string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	asked, err := proto.Marshal(&pb.QueryMetadata{PageSize: pageSize, Bookmark: bookmark})
	if err != nil {
		return nil, nil, errors.Wrap(err, "marshal bookmark")
	}
	return s.page(pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Query: query, Metadata: asked})
}

func (s *stub) GetHistoryForKey(key string) (HistoryQueryIteratorInterface, error) {
	first, err := s.tx.query(pb.ChaincodeMessage_GET_HISTORY_FOR_KEY, &pb.GetHistoryForKey{Key: key})
	if err != nil {
		return nil, err
	}
	return newIterator[pb.KeyModification](s.tx, first), nil
}

func (s *stub) rangePage(start, end string, page *pb.QueryMetadata) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	asked, err := proto.Marshal(page)
	if err != nil {
		return nil, nil, errors.Wrap(err, "marshal bookmark")
	}
	return s.page(pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: start, EndKey: end, Metadata: asked})
}

// rows makes a query whose results are keys with their values.
func (s *stub) rows(typ pb.ChaincodeMessage_Type, query proto.Message) (StateQueryIteratorInterface, error) {
	first, err := s.tx.query(typ, query)
	if err != nil {
		return nil, err
	}
	return newIterator[pb.KV](s.tx, first), nil
}

// page returns the results of a query that asks for one page. It also returns where the next page begins.
func (s *stub) page(typ pb.ChaincodeMessage_Type, query proto.Message) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error) {
	first, err := s.tx.query(typ, query)
	if err != nil {
		return nil, nil, err
	}
	var got pb.QueryResponseMetadata
	if err := proto.Unmarshal(first.GetMetadata(), &got); err != nil {
		return nil, nil, errors.Wrap(err, "unmarshal query response metadata")
	}
	return newIterator[pb.KV](s.tx, first), &got, nil
}
