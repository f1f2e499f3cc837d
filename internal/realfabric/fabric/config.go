package main

import (
	"bytes"
	"slices"

	"github.com/hyperledger/fabric-config/protolator"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/protoutil"

	_ "github.com/hyperledger/fabric-config/protolator/protoext" // which the decoder of configurations needs
)

// configuration reads a block as Fabric's tools, orderers and peers do, and asks a policy of the configuration in it.
func configuration(q question) (a answer, err error) {
	block, err := protoutil.UnmarshalBlock(q.Config)
	if err != nil {
		return a, err
	}
	var text bytes.Buffer
	if err := protolator.DeepMarshalJSON(&text, block); err != nil { // configtxlator and configtxgen
		return answer{ParseError: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	envelope, err := protoutil.ExtractEnvelope(block, 0)
	if err != nil {
		return a, err
	}
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	if err != nil {
		return a, err
	}
	bundle, err := channelconfig.NewBundleFromEnvelope(envelope, csp)
	if err == nil {
		err = channelconfig.ValidateCapabilities(block, csp)
	}
	if err != nil {
		return answer{ParseError: err.Error()}, nil //nolint:nilerr // as above
	}
	if q.Policy != nil {
		var all []*protoutil.SignedData
		for _, s := range q.Signed {
			all = append(all, &protoutil.SignedData{Identity: s.Identity, Data: s.Data, Signature: s.Signature})
		}
		policy, _ := bundle.PolicyManager().GetPolicy(*q.Policy)
		if err := policy.EvaluateSignedData(all); err != nil {
			a.Error = err.Error()
		}
		return a, nil
	}
	application, _ := bundle.ApplicationConfig()
	for _, o := range application.Organizations() {
		a.Names = append(a.Names, o.MSPID())
		for _, p := range o.AnchorPeers() {
			a.Names = append(a.Names, p.Host)
		}
	}
	orderer, _ := bundle.OrdererConfig()
	for _, o := range orderer.Organizations() {
		a.Names = append(append(a.Names, o.MSPID()), o.Endpoints()...)
	}
	a.Names = append(a.Names, orderer.BatchTimeout().String(), application.APIPolicyMapper().PolicyRefForAPI("event/Block"))
	slices.Sort(a.Names)
	return a, nil
}
