package shim

import (
	"bytes"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// validationParameter is the metadata entry that holds a key's endorsement policy.
const validationParameter = "VALIDATION_PARAMETER"

func (s *stub) GetState(key string) ([]byte, error)                    { return s.get("", key) }
func (s *stub) PutState(key string, value []byte) error                { return s.put("", key, value) }
func (s *stub) DelState(key string) error                              { return s.del("", key) }
func (s *stub) GetMultipleStates(keys ...string) ([][]byte, error)     { return s.getMultiple("", keys) }
func (s *stub) GetStateValidationParameter(key string) ([]byte, error) { return s.policy("", key) }
func (s *stub) SetStateValidationParameter(key string, ep []byte) error {
	return s.setPolicy("", key, ep)
}

// What follows serves public and private data. Public data has no collection.

func (s *stub) get(collection, key string) ([]byte, error) {
	return s.tx.request(pb.ChaincodeMessage_GET_STATE, &pb.GetState{Collection: collection, Key: key})
}

func (s *stub) put(collection, key string, value []byte) error {
	if key == "" {
		return errors.New("key must not be an empty string")
	}
	if b := s.batch.Load(); b != nil {
		return b.add(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Collection: collection, Key: key, Value: bytes.Clone(value)})
	}
	_, err := s.tx.request(pb.ChaincodeMessage_PUT_STATE, &pb.PutState{Collection: collection, Key: key, Value: value})
	return err
}

func (s *stub) del(collection, key string) error {
	if b := s.batch.Load(); b != nil {
		return b.add(&pb.WriteRecord{Type: pb.WriteRecord_DEL_STATE, Collection: collection, Key: key})
	}
	_, err := s.tx.request(pb.ChaincodeMessage_DEL_STATE, &pb.DelState{Collection: collection, Key: key})
	return err
}

func (s *stub) setPolicy(collection, key string, ep []byte) error {
	entry := &pb.StateMetadata{Metakey: validationParameter, Value: ep}
	if b := s.batch.Load(); b != nil {
		entry.Value = bytes.Clone(ep)
		return b.add(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE_METADATA, Collection: collection, Key: key, Metadata: entry})
	}
	_, err := s.tx.request(pb.ChaincodeMessage_PUT_STATE_METADATA, &pb.PutStateMetadata{Collection: collection, Key: key, Metadata: entry})
	return err
}

func (s *stub) policy(collection, key string) ([]byte, error) {
	var metadata pb.StateMetadataResult
	if err := s.tx.ask(pb.ChaincodeMessage_GET_STATE_METADATA, &pb.GetStateMetadata{Collection: collection, Key: key}, &metadata); err != nil {
		return nil, err
	}
	for _, entry := range metadata.GetEntries() {
		if entry.GetMetakey() == validationParameter {
			return entry.GetValue(), nil
		}
	}
	return nil, nil
}

// getMultiple returns nil for each key that is absent.
func (s *stub) getMultiple(collection string, keys []string) ([][]byte, error) {
	most := s.tx.h.offers.getMultiple
	if most == 0 {
		return s.getEach(collection, keys)
	}
	var values [][]byte
	for len(keys) > 0 {
		n := min(most, len(keys))
		var got pb.GetStateMultipleResult
		if err := s.tx.ask(pb.ChaincodeMessage_GET_STATE_MULTIPLE, &pb.GetStateMultiple{Collection: collection, Keys: keys[:n]}, &got); err != nil {
			return nil, err
		}
		if len(got.GetValues()) != n { // which value is whose?
			return nil, errors.Errorf("[%s] the peer answered GET_STATE_MULTIPLE with %d values for %d keys",
				shortTxID(s.tx.key.txID), len(got.GetValues()), n)
		}
		values, keys = append(values, got.GetValues()...), keys[n:]
	}
	return absentAsNil(values), nil
}

// getEach returns what getMultiple does, by one request for each key. It is for a peer that does not offer to read many at
// once.
func (s *stub) getEach(collection string, keys []string) ([][]byte, error) {
	var values [][]byte
	for _, key := range keys {
		value, err := s.get(collection, key)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return absentAsNil(values), nil
}

func absentAsNil(values [][]byte) [][]byte {
	for i := range values {
		if len(values[i]) == 0 {
			values[i] = nil
		}
	}
	return values
}
