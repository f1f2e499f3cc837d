// Package shim is the chaincode's half of the protocol, for chaincode written against this library. On the wire
// it speaks as Fabric's official shims do.
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
// [Start] dials the peer, as the flag and environment tell that every peer gives its chaincode; [Run] does the same
// with settings from the program. [Serve] waits for the peer to dial instead (chaincode as a service). [StartInProc]
// talks on a stream within the peer's own process.
//
// # Transactions
//
// Each call of Init or Invoke runs on a goroutine of its own, any number at once. Within one transaction requests
// are made one after the other; a second one at the same time returns [ErrConcurrentRequest]. Once the function
// has returned, its stub's requests return [ErrTransactionFinished].
//
// Reads see what is committed, not what the transaction itself has written. [ChaincodeStubInterface] says what there
// is: public state, private data by collection, key-level endorsement policies, ranges, rich queries, history, calls of
// other chaincode, one event. What a peer or its ledger does not support is an error with the peer's text.
//
// A panic ends its transaction with status 500, and is logged with its stack. When the stream ends, every request
// that waits returns [ErrStreamEnded].
//
// # Fewer requests
//
// Every read and write is a request of its own, but for two methods. GetMultipleStates and GetMultiplePrivateData read
// many keys in one request; StartWriteBatch holds writes back until they go together. Newer peers say in READY whether
// they can do that, and how many keys at once (fewer than 100 are taken for 100, as by Fabric's shim); with others the
// same calls work, one request a key.
//
// # The client
//
// Package cid, below this one, says who submitted a transaction, and which attributes Fabric's CA gave to whoever it is.
package shim
