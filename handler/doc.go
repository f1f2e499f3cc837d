// Package handler is the peer's half of the conversation with one chaincode.
//
// [HandleChaincodeStream] serves a stream. It makes a [Handler], gives it to a [Registry] when the chaincode has registered,
// and returns when the stream has ended. [Handler.Execute] runs a transaction. What the chaincode asks for meanwhile is
// answered from the transaction's [Simulation]. The package knows nothing of gRPC servers, of processes, or of how chaincode
// is started.
//
// # Three parts
//
// A handler is made of three parts. Each has fields of its own that nobody else can touch:
//
//   - The loop (loop.go) owns the stream's state. It admits each message by the table in message.go and hands it on.
//   - The sender (sender.go) holds what waits to be sent, and sends it.
//   - A worker (worker.go) serves the requests of one transaction, one after the other. Each transaction has its own.
//
// Beside them there are three more things. The inbox is where messages of the chaincode enter. The session is what all parts
// may know of the stream. The Handler is what everyone else sees.
//
// # States
//
// A stream is first created. It is established when REGISTER has been accepted, and ready when READY is on its way. Then it
// is at its end. The rows in message.go are the whole protocol: who may send a message, in which states, where it leads, and
// what is done about it. The state machine, the dispatch and the diagram in docs/architecture.md are made from them.
//
// The stream becomes ready when READY has been handed to the sender, a moment before it has been sent. The chaincode may
// answer READY before Send has returned here, and what it says must find a stream that is ready. Registry.Ready is called
// when READY has been sent.
//
// A transaction's life is a table, too. It is in transaction.go, and its diagram is in docs/architecture.md.
//
// # Goroutines
//
//   - The loop is the goroutine that called HandleChaincodeStream. processStream is a select loop that waits for nothing but
//     its next event. It calls only two hooks: the observer of faults and, at its end, Registry.Deregister.
//   - receive reads the stream, and hands on message and error together. It ends at the first error of Recv. While it waits
//     for the moment to read on, it ends with the stream.
//   - serialSend sends, and is the only caller of Send. It ends when the stream has ended.
//   - register lives briefly. It asks the registry, sends REGISTERED and READY, and tells the registry. While the registry
//     is asked, the loop takes nothing of what the chaincode says. So each message finds the state that the registry's
//     answer leads to.
//   - run is a worker. Each transaction that sends a request has one, and it alone touches the transaction's iterators. It
//     ends with Execute, or later if the ledger keeps it.
//   - sendLate sends an answer for which there was no room until Execute had given up. It waits for room, or for the
//     stream's end.
//
// Execute runs in its caller's goroutine. When HandleChaincodeStream returns, some goroutines may still be busy: receive and
// serialSend inside the stream, and workers inside the ledger. With gRPC the first two leave the stream when the RPC's
// method has returned. Handler.Wait waits for all of them.
//
// # Locks
//
//   - transactions.mu protects the map of transactions in flight.
//   - transactionContext.mu protects the state of one transaction, and deadline.mu its context. deadline.mu may be taken
//     while transactionContext.mu is held. No other two of these three are held together, and nothing is waited for under
//     any of them.
//   - budget.mu protects what is taken of a budget, and the queue of those who wait for it. No other lock is taken under it.
//     Nor is one taken under account.mu, which may be taken while Simulation.mu is held.
//   - Simulation.begin and Simulation.end enclose every call of a simulator. So there is one call at a time, even when an
//     operation has outlived its transaction. Simulation.mu protects who may still call.
//
// # What becomes of a request
//
// The loop admits a request if its transaction is running and has no other request pending. The worker serves it, notes that
// it has been served, and then answers. The answer to a read goes straight to the sender. The answers to PUT_STATE,
// DEL_STATE and INVOKE_CHAINCODE go through nextState and the loop, like everything that the peer originates.
//
// Every admitted request is answered once. If Execute has given up meanwhile, the answer is an ERROR, which frees the
// chaincode that waits for it. In two cases nothing is answered, because the answer would be taken for another one: the
// chaincode has completed the transaction without waiting, or the same transaction ID is being run again. Nothing else is
// ever sent.
//
// # What may wait
//
// Limits.MaxBytes is what the peer holds for one chaincode. A quarter is the budget of what was received, and a quarter that
// of what waits to be sent. A message's size is looked at once, where the message is received or made, and travels with it.
//
// A message to the chaincode takes room before it is queued. It does so in the goroutine that sends it: Execute's, the
// worker's, or the one that is left with a late answer. It gives the room back when Send has returned. Senders wait in turn,
// until their transaction ends or the stream does. A message that is larger than the budget waits until nothing else is
// queued. So the queue holds the budget or a single message, and at most Limits.SendQueue messages.
//
// What the loop says unasked doesn't wait: KEEPALIVE, and refusals of requests of unknown transactions. A chaincode that
// provokes refusals and doesn't read them loses its stream when twice the budget is queued. Each sender that waits for room
// holds one message. These are the transactions in flight and the answers that came too late. Limits.MaxInFlight limits
// both. A message that starts a transaction is encoded when it has room.
//
// The answer to a read takes its room before it is read, if the ledger calls ledger.Reserve. So a worker that waits holds
// nothing large. room.go says how answers of many values don't wait for one another.
//
// A message of the chaincode counts from the moment it has been read until it has been handled. A request counts until it
// has been served, which is before its answer waits for anything. A reply counts until Execute has it, which may have to wait
// for the ledger. While more than the budget is taken nothing is read. So what was read and waits for the ledger is at most
// the budget and one message more.
//
// Only the ledger can stop the reading, and nothing that itself depends on reading. Two things follow:
//
//   - A chaincode that doesn't read its answers is still read. Send and Recv never wait for one another.
//   - INVOKE_CHAINCODE stops counting as received when its callee is called. The callee may be a chaincode on the same
//     stream, whose requests have to be read for the call to end. It counts as kept from then on.
//
// An operation that was abandoned counts until it returns. While a stream isn't read, the peer doesn't see that the
// chaincode has closed it, but it does see the end of its context. KEEPALIVE messages are not sent meanwhile, since an echo
// would not be read.
//
// # What is kept
//
// The other half of Limits.MaxBytes is for what transactions keep: what they have written and read, and the names that they
// leave behind, until their Simulation is done; what iterators keep, until they are closed; inputs and answers of calls. A
// transaction that keeps something and waits for room to keep more may wait for another one that does the same. So nobody
// waits for this room: the request is refused, and the chaincode is told what the limit is. kept.go counts it.
// Limits.MaxTransactionBytes limits one Simulation, whoever shares it.
//
// # A slow stream
//
// A Send that takes longer than Limits.SendTimeout ends the stream. A single timer measures it, which runs only while
// something has been sent within that time.
package handler
