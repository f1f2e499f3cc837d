// Package chaincodesupport runs chaincode for a peer: it serves the gRPC service that chaincode registers with,
// launches chaincode when it is needed, and executes transactions on it.
//
//	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtime: …, Ledgers: …})
//	go cs.Serve(listener) // for chaincode that dials the peer
//	result, err := cs.Execute(ctx, "asset:1.0", handler.TxParams{ChannelID: …, TxID: …, Simulation: …}, input)
//
// What happens on one chaincode's stream is package handler's; what starts a chaincode is a Runtime.
//
// # Names and IDs
//
// A chaincode registers under its ID, such as asset:1.0. Channels call it by its name, such as asset. A peer that has
// definitions of chaincodes, as Fabric's, gives them as Config.Definitions: [ChaincodeSupport.Execute] then finds the ID by
// the name, and has a chaincode initialized that must be. Without them, a chaincode's name is its ID.
//
// # A chaincode's life
//
// One run of a chaincode is an instance. The rows in instance.go are its whole life: what may happen to it in which phase,
// and where that leads. The diagram in docs/architecture.md is made from them. What [ChaincodeSupport.List] and a
// [LifecycleObserver] say is derived from the phase.
//
// # Goroutines
//
//   - A caller's own runs Execute, up to the handler. It waits there for a launch, and then in handler.Handler.Execute.
//   - launcher.run, one for each instance that this peer has launched, is inside Runtime.Run. It ends when nothing of the
//     chaincode is left.
//   - Register runs in the goroutine that gRPC's server has for the stream, and becomes the handler's select loop. A runtime
//     that makes the stream itself calls it in a goroutine of its own. Package handler says which goroutines a stream has.
//   - await starts one that asks Config.Definitions or Config.Decorators, so that a caller whose time is up can leave it behind.
//   - lifecycle.deliver, short-lived, calls the LifecycleObserver.
//   - Serve runs in its caller's goroutine; one more ends its server when everything else has ended.
//   - Timers end a launch that takes too long, and launch a chaincode whose restart is due.
//
// lifetime counts all of these but the timers. Close waits for what it counts. A timer that fires later changes nothing.
//
// # Locks
//
// In the order in which they are taken, each at most once:
//
//   - instances.mu protects which instance has which chaincode ID, and the records that outlive instances.
//   - lifetime.mu protects whether a launch, a caller or a stream still comes in time.
//   - instance.mu protects the phase of one instance, and what belongs to it.
//   - lifecycle.mu protects what the LifecycleObserver is still to be told.
//
// Under none of them is anything waited for, and no hook, runtime, observer or logger is called. What is called under
// instance.mu doesn't wait: Handler.Close, and the end of a runtime's context.
package chaincodesupport
