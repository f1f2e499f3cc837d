package peer_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/peer"
)

// A network of two organizations, whose majority is both.
func ExampleNetwork() {
	ctx := context.Background()
	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := network.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}()
	if err := network.Deploy(ctx, "mychannel", peer.Chaincode{Name: "asset", Runtime: runs(asset)}); err != nil {
		fmt.Println(err)
		return
	}
	alice, err := network.Client("alice@Org1MSP", map[string]string{"role": "registrar"})
	if err != nil {
		fmt.Println(err)
		return
	}
	put := peer.Call{Channel: "mychannel", Chaincode: "asset", Args: [][]byte{[]byte("put"), []byte("ring"), []byte("gold")}}
	done, err := network.Submit(ctx, alice, put)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("block %d: %s, event %s\n", done.Outcome.Block, done.Outcome.Code, done.Event.Name)

	// Two that were endorsed at the same height, in one block.
	var envelopes [][]byte
	for range 2 {
		endorsed, err := network.Endorse(ctx, alice, put)
		if err != nil {
			fmt.Println(err)
			return
		}
		envelopes = append(envelopes, endorsed.Envelope)
	}
	outcomes, err := network.Order(ctx, envelopes...)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range outcomes {
		fmt.Printf("block %d: %s\n", o.Block, o.Code)
	}
	// Output:
	// block 1: VALID, event Put
	// block 2: VALID
	// block 2: MVCC_READ_CONFLICT
}
