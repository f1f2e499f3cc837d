package endorser

import (
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// interest is whose policies a transaction must fulfil. A client passes it to discovery, or a gateway does, to learn who else
// must endorse. The rules are those of Fabric's core/endorser (buildChaincodeInterest, parseWritesetMetadata), but the order is
// always the same: Fabric's is that of a Go map.
//
// The public part of a namespace is a call without collections, and each collection is a call of its own, as they may differ in
// whether private data was read. Fabric never sets no_public_writes here.
func (e *Endorser) interest(in *ledger.Interest) (*pb.ChaincodeInterest, error) {
	all := new(pb.ChaincodeInterest)
	for _, n := range in.Namespaces {
		if slices.Contains(e.cfg.Builtins, n.Name) {
			continue
		}
		public, err := publicCall(n)
		if err != nil {
			return nil, err
		}
		if public != nil {
			all.Chaincodes = append(all.Chaincodes, public)
		}
		all.Chaincodes = append(all.Chaincodes, collectionCalls(n)...)
	}
	return all, nil
}

// publicCall is the public part of a namespace, or nil if nothing depends on it.
//
// It has the policies of all keys that were written, those of collections' keys, too. The chaincode's policy counts if a public
// key without a policy was written, or if nothing was written at all. So it doesn't count for what was read beside private writes.
func publicCall(n ledger.NamespaceInterest) (*pb.ChaincodeCall, error) {
	call := &pb.ChaincodeCall{Name: n.Name, DisregardNamespacePolicy: len(n.Written) > 0}
	for _, w := range n.Written {
		for _, b := range w.Policies {
			policy := new(pb.SignaturePolicyEnvelope)
			if err := proto.Unmarshal(b, policy); err != nil {
				return nil, errors.Wrap(err, "error unmarshalling SignaturePolicyEnvelope")
			}
			call.KeyPolicies = append(call.KeyPolicies, policy)
		}
		if w.Collection == "" && w.Others {
			call.DisregardNamespacePolicy = false
		}
	}
	if call.DisregardNamespacePolicy && len(call.KeyPolicies) == 0 {
		return nil, nil
	}
	return call, nil
}

// collectionCalls are the collections of which values were read, or keys without a policy were written.
func collectionCalls(n ledger.NamespaceInterest) []*pb.ChaincodeCall {
	names := slices.Clone(n.PrivateReads)
	for _, w := range n.Written {
		if w.Collection != "" && w.Others {
			names = append(names, w.Collection)
		}
	}
	slices.Sort(names)
	var calls []*pb.ChaincodeCall
	for _, name := range slices.Compact(names) {
		calls = append(calls, &pb.ChaincodeCall{
			Name: n.Name, CollectionNames: []string{name}, NoPrivateReads: !slices.Contains(n.PrivateReads, name),
		})
	}
	return calls
}
