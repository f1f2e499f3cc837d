package shim

import (
	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// checkCollection keeps a call that means private data from reaching public data, which has no collection.
func checkCollection(collection string) error {
	if collection == "" {
		return errors.New("collection must not be an empty string")
	}
	return nil
}

func (s *stub) GetPrivateData(collection, key string) ([]byte, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	return s.get(collection, key)
}

func (s *stub) GetMultiplePrivateData(collection string, keys ...string) ([][]byte, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	return s.getMultiple(collection, keys)
}

func (s *stub) GetPrivateDataHash(collection, key string) ([]byte, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	return s.tx.request(pb.ChaincodeMessage_GET_PRIVATE_DATA_HASH, &pb.GetState{Collection: collection, Key: key})
}

func (s *stub) PutPrivateData(collection, key string, value []byte) error {
	if err := checkCollection(collection); err != nil {
		return err
	}
	return s.put(collection, key, value)
}

func (s *stub) DelPrivateData(collection, key string) error {
	if err := checkCollection(collection); err != nil {
		return err
	}
	return s.del(collection, key)
}

func (s *stub) PurgePrivateData(collection, key string) error {
	if err := checkCollection(collection); err != nil {
		return err
	}
	if b := s.batch.Load(); b != nil {
		return b.add(&pb.WriteRecord{Type: pb.WriteRecord_PURGE_PRIVATE_DATA, Collection: collection, Key: key})
	}
	_, err := s.tx.request(pb.ChaincodeMessage_PURGE_PRIVATE_DATA, &pb.PurgePrivateState{Collection: collection, Key: key})
	return err
}

func (s *stub) SetPrivateDataValidationParameter(collection, key string, ep []byte) error {
	if err := checkCollection(collection); err != nil {
		return err
	}
	return s.setPolicy(collection, key, ep)
}

func (s *stub) GetPrivateDataValidationParameter(collection, key string) ([]byte, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	return s.policy(collection, key)
}

func (s *stub) GetPrivateDataByRange(collection, startKey, endKey string) (StateQueryIteratorInterface, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	start, end, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, err
	}
	return s.rows(pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{Collection: collection, StartKey: start, EndKey: end})
}

func (s *stub) GetPrivateDataByPartialCompositeKey(collection, objectType string, attributes []string) (StateQueryIteratorInterface, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	start, end, err := compositeRange(objectType, attributes)
	if err != nil {
		return nil, err
	}
	return s.rows(pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{Collection: collection, StartKey: start, EndKey: end})
}

func (s *stub) GetPrivateDataQueryResult(collection, query string) (StateQueryIteratorInterface, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	return s.rows(pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Collection: collection, Query: query})
}
