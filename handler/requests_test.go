package handler_test

import pb "github.com/ccpeer/ccpeer/proto"

// Requests beyond those of Fabric's first peers. An empty collection is the public state.

func getMultiple(collection string, keys ...string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE_MULTIPLE, "", &pb.GetStateMultiple{Collection: collection, Keys: keys})
}

// richQuery is paginated unless size is 0.
func richQuery(collection, query string, size int32) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_QUERY_RESULT, "", &pb.GetQueryResult{
		Collection: collection, Query: query, Metadata: marshal(&pb.QueryMetadata{PageSize: size}),
	})
}

func getMetadata(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE_METADATA, "", &pb.GetStateMetadata{Collection: collection, Key: key})
}

func putMetadata(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_PUT_STATE_METADATA, "", &pb.PutStateMetadata{
		Collection: collection, Key: key, Metadata: &pb.StateMetadata{Metakey: "m"},
	})
}

func getPrivate(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE, "", &pb.GetState{Collection: collection, Key: key})
}

func getPrivateHash(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_PRIVATE_DATA_HASH, "", &pb.GetState{Collection: collection, Key: key})
}

func getPrivateRange(collection string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Collection: collection})
}

func putPrivate(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_PUT_STATE, "", &pb.PutState{Collection: collection, Key: key, Value: []byte("v")})
}

func delPrivate(collection, key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_DEL_STATE, "", &pb.DelState{Collection: collection, Key: key})
}

func purge(collection string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_PURGE_PRIVATE_DATA, "", &pb.PurgePrivateState{Key: "k", Collection: collection})
}

func writeBatch(records ...*pb.WriteRecord) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_WRITE_BATCH_STATE, "", &pb.WriteBatchState{Rec: records})
}
