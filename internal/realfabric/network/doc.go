// Package network starts a real network of Fabric for a test: an orderer, and a peer of each of two organizations, as processes
// on this machine. Its chaincode runs in the test.
//
//	n := network.Start(t, bin) // where Build has built Fabric's programs
//	status, info, err := n.Broadcast(ctx, envelope)
//	err = n.Cut(ctx)           // a block is only cut when somebody wants it
//	b, err := n.Organizations[0].Blocks(ctx, 1)
//
// Everything is in the test's folder, listens on loopback only, and ends with the test.
package network
