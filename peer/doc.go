// Package peer assembles a peer of its parts, and a network of peers in one process.
//
//	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{}) // one organization, one peer, one channel, in memory
//	err = network.Deploy(ctx, "mychannel", peer.Chaincode{Name: "asset", Runtime: runtime})
//	alice, err := network.Client("alice@Org1MSP", map[string]string{"role": "registrar"})
//	result, err := network.Submit(ctx, alice, peer.Call{Channel: "mychannel", Chaincode: "asset", Args: args})
//
// A [Peer] belongs to an organization. It has that organization's certificate and private data, a store with the ledgers of its
// channels, and chaincode of its own. It endorses what clients propose, and commits the blocks of an ordering service. A
// [Network] has organizations, peers, channels and an orderer. It is a client, too: Submit does what Fabric's gateway does for
// programs outside.
//
// # What is taken from where
//
// What a proposal says is taken from the proposal, by the endorser and by nobody else. Whether a transaction counts is decided
// by each peer for itself, when it commits the block. The network trusts none of them: it compares what they have endorsed.
//
// # Configuration
//
// A channel's first block has its configuration, and nothing else. Network makes it. Peers go by ChannelConfig, which says the same
// of the organizations and their policies. Channel.Config is for clients and tools.
//
// # Definitions
//
// What a channel has agreed on about a chaincode is not in blocks yet, as it is in Fabric. Peer.Deploy gives it to one peer.
// Network.Deploy gives it to all peers of the channel, between the same two blocks.
//
// # Chaincode of the peer's own
//
// Each peer has qscc and cscc, on every channel and without one: see package system. They need no deployment, and no other chaincode can
// have their names.
//
// # Goroutines
//
// Each channel of a peer has one, which commits blocks. Peer.Close waits for it.
package peer
