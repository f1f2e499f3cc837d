// Package shim is the chaincode's half of the protocol, for chaincode written against this library. On the wire it speaks as
// Fabric's official shims do.
//
// Chaincode is a type with two methods, Init and Invoke, and a main function:
//
//	func main() {
//		if err := shim.Start(new(asset)); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//	}
//
// [Start] dials the peer. It reads the flag and the environment that every peer gives its chaincode. [Run] does the same
// with settings from the program. [Serve] waits until the peer dials (chaincode as a service). [StartInProc] talks on a
// stream within the peer's own process.
//
// # Transactions
//
// Each call of Init or Invoke runs in a goroutine of its own. Any number may run at once. Within one transaction you make
// requests one after the other. A second request at the same time returns [ErrConcurrentRequest]. After the function has
// returned, its stub's requests return [ErrTransactionFinished].
//
// Reads see what is committed, not what the transaction itself has written. [ChaincodeStubInterface] says what there is:
// public state, private data by collection, key-level endorsement policies, ranges, rich queries, history, calls of other
// chaincode, one event. If a peer or its ledger doesn't support something, you get an error with the peer's text.
//
// A panic ends its transaction with status 500, and is logged with its stack. When the stream ends, every request that waits
// returns [ErrStreamEnded].
//
// # Fewer requests
//
// Every read and write is a request of its own. There are two ways to make fewer. GetMultipleStates and
// GetMultiplePrivateData read many keys in one request. StartWriteBatch holds writes back until they go together. Newer
// peers say in READY whether they can do that, and how many keys at once. (As in Fabric's shim, a figure below 100 counts as
// 100.) With other peers the same calls work, with one request for each key.
//
// # The client
//
// Package cid, below this one, says who submitted a transaction, and which attributes Fabric's CA gave the client.
package shim
