// Package policies decides whether those who have signed are enough, as Fabric's peers do.
//
//	p, err := policies.Parse("OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")
//	err = p.Evaluate(policies.Unique(signers))
//
// There are signature policies, which name groups of people, and implicit meta policies, which count the policies of
// organizations. Both are values. A peer finds them in the definitions of chaincodes, in the metadata of keys, and in a
// channel's configuration: Unmarshal reads a signature policy there.
//
// What they decide is compared with Fabric in internal/realfabric.
//
// Checking the signatures is not their business. An identity.Verifier finds out who somebody is, and identity.Verified checks
// what they have signed.
package policies
