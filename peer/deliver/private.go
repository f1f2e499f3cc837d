package deliver

import (
	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// sendPrivate sends blocks with private data. What a client gets depends on who it is, so it is made for each one, unless it is nothing.
func sendPrivate(stream pbgrpc.Deliver_DeliverServer) sender {
	return func(to *subscriber, d delivery) error {
		private, err := readable(to, d)
		if err != nil {
			return err
		}
		switch {
		case len(private) > 0:
		case d.headers:
			return sendForm(headersWithoutPrivate)(to, d)
		default:
			return sendForm(withoutPrivate)(to, d)
		}
		m := &pb.BlockAndPrivateData{Block: d.block.block.value, PrivateDataMap: private}
		if d.headers {
			m.Block = withoutData(m.Block)
		}
		return stream.Send(&pb.DeliverResponse{Type: &pb.DeliverResponse_BlockAndPrivateData{BlockAndPrivateData: m}})
	}
}

// readable returns a block's private data, as far as the client may have it.
func readable(to *subscriber, d delivery) (map[uint64]*pb.TxPvtReadWriteSet, error) {
	source, number := d.channel.PrivateData, d.block.number
	if source == nil {
		return nil, nil
	}
	all, err := source.PrivateData(to.ctx, number)
	if err != nil {
		return nil, errors.Wrapf(err, "error getting private data by block number %d", number) // Fabric's text
	}
	known := map[Collection]bool{}
	may := func(namespace, name string) (bool, error) {
		c := Collection{Block: number, Namespace: namespace, Name: name}
		ok, asked := known[c]
		if !asked {
			if ok, err = source.MayRead(to.ctx, c, d.request.client); err != nil {
				return false, err
			}
			known[c] = ok
		}
		return ok, nil
	}
	some := map[uint64]*pb.TxPvtReadWriteSet{}
	for position, set := range all {
		part, err := pick(set, may)
		if err != nil {
			return nil, err
		}
		if part != nil {
			some[position] = part
		}
	}
	return some, nil
}

// pick returns the collections of a set that somebody may have, or nil if there are none.
func pick(set *pb.TxPvtReadWriteSet, may func(namespace, name string) (bool, error)) (*pb.TxPvtReadWriteSet, error) {
	var part *pb.TxPvtReadWriteSet
	for _, ns := range set.GetNsPvtRwset() {
		var colls []*pb.CollectionPvtReadWriteSet
		for _, coll := range ns.GetCollectionPvtRwset() {
			ok, err := may(ns.GetNamespace(), coll.GetCollectionName())
			if err != nil {
				return nil, err
			}
			if ok {
				colls = append(colls, coll)
			}
		}
		if colls == nil {
			continue
		}
		if part == nil {
			part = &pb.TxPvtReadWriteSet{DataModel: set.GetDataModel()}
		}
		part.NsPvtRwset = append(part.NsPvtRwset, &pb.NsPvtReadWriteSet{Namespace: ns.GetNamespace(), CollectionPvtRwset: colls})
	}
	return part, nil
}
