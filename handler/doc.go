// Package handler is the peer's half of the conversation with one chaincode.
//
// [HandleChaincodeStream] serves a stream: it makes a [Handler], gives it to a [Registry] when the chaincode has
// registered, and returns when the stream has ended. [Handler.Execute] runs a transaction; what the chaincode asks
// for meanwhile is answered from the transaction's [Simulation]. The package knows nothing of gRPC servers,
// processes or how chaincode is started.
//
// # Three parts
//
// A handler is made of three parts, each with fields of its own that nobody else can touch:
//
//   - The loop (loop.go) owns the stream's state. It admits each message by the table in message.go and hands it on.
//   - The sender (sender.go) has what waits to be sent, and sends it.
//   - A worker (worker.go), one for each transaction, serves the requests of its transaction, one after the other.
//
// Beside them are the inbox, by which messages of the chaincode enter; the session, which is what all parts may know of the
// stream; and the Handler, which is what everyone else sees.
//
// # States
//
// A stream is created, established when REGISTER has been accepted, ready when READY is on its way, and at its end.
// The rows in message.go are the whole protocol: who may send a message, in which states, where it leads, and what
// is done about it. The state machine, the dispatch and the diagram in the README are made from them.
//
// The stream is ready when READY has been handed to the sender, a moment before it has been sent: whatever the chaincode says when
// it has READY must find a stream that is ready, and it may say it before Send has returned here. Registry.Ready is called when
// READY has been sent.
//
// A transaction's life is a table, too, in transaction.go, and its diagram is in docs/architecture.md.
//
// # Goroutines
//
//   - The loop is the goroutine that called HandleChaincodeStream. processStream is a select loop that waits for
//     nothing but its next event, and calls no hook but the observer of faults, and at its end Registry.Deregister.
//   - receive reads the stream and hands on message and error together. It ends at the first error of Recv, or, while
//     it waits for the moment to read on, with the stream.
//   - serialSend sends, and is the only caller of Send. It ends when the stream has.
//   - register, short-lived, asks the registry, sends REGISTERED and READY and tells the registry. While the registry is asked,
//     the loop takes nothing of what the chaincode says: it finds the state that the answer leads to.
//   - run is a worker, one for each transaction that sends a request. It alone touches the transaction's iterators. It ends with
//     Execute; or, if the ledger keeps it, later. An answer for which there was no room until Execute had given up is left to a
//     goroutine that waits for room, or for the stream's end.
//
// Execute runs in its caller's goroutine. When HandleChaincodeStream returns, receive and serialSend may still be inside
// the stream, which with gRPC they leave when the RPC's method has returned, and workers inside the ledger.
// Handler.Wait waits for all of them.
//
// # Locks
//
//   - transactions.mu protects the map of transactions in flight, transactionContext.mu the state of one, and
//     deadline.mu the context of one. Of these only the last is taken under another, the second; nothing is waited for
//     under any of them.
//   - budget.mu protects what is taken of a budget, and who waits for it. No other lock is taken under it.
//   - Simulation.begin and end enclose every call of a simulator, so that there is one at a time even when an
//     operation has outlived its transaction. Simulation.mu protects who may still call.
//
// # What becomes of a request
//
// The loop admits it: its transaction is running and has no other request pending. The worker serves it, says that it has
// been served, and then answers: a read straight to the sender, PUT_STATE, DEL_STATE and
// INVOKE_CHAINCODE through nextState and the loop, like everything that the peer originates.
//
// Every admitted request is answered once. Where Execute has given up meanwhile the answer is an ERROR, which frees
// the chaincode that waits for it. There are two exceptions, in which an answer would be taken for another one: the
// chaincode has completed the transaction without waiting, or the same transaction ID is being run again. Nothing
// else is ever sent.
//
// # What may wait
//
// Each direction of a stream has a budget of Limits.MaxQueuedBytes. A message's size is looked at once, where the message is
// received or made, and travels with it.
//
// A message to the chaincode takes room before it is queued, in its sender's goroutine: Execute's, the worker's, or the one
// that is left with a late answer. It gives the room back when Send has returned. Senders wait in turn, until their
// transaction ends or the stream does; a message that is larger than the budget waits until nothing else is queued. So
// the queue holds MaxQueuedBytes or a single message, and Limits.SendQueue messages. What the loop says unasked, KEEPALIVE and
// refusals of requests of unknown transactions, doesn't wait; a chaincode that provokes refusals and doesn't read them loses its
// stream when twice as much is queued. Who waits for room holds one message: the transactions in flight do, and the answers that came
// too late, both of which Limits.MaxInFlight limits.
//
// A message of the chaincode counts from the moment it has been read until it has been handled; a request until it has been
// served, which is before its answer waits for anything. While more than the budget is taken nothing is read, so that
// what was read and waits for the ledger is at most the budget and one message more. Two things follow from reading being
// stopped by nothing but the ledger, and by nothing that depends on reading:
//
//   - A chaincode that doesn't read its answers is still read (Send and Recv never wait for one another).
//   - INVOKE_CHAINCODE stops counting when its callee is called, which may be a chaincode on the same stream, whose
//     requests have to be read for the call to end. Calls are limited by MaxInFlight and MaxCallDepth.
//
// An operation that was abandoned counts until it returns. A stream that isn't read is not seen to be closed by its chaincode;
// its context is. KEEPALIVE messages are not sent meanwhile, since an echo would not be read.
//
// A Send that takes longer than Limits.SendTimeout ends the stream. It is measured with a single timer, which runs only
// while something has been sent within that time.
package handler
