// Package chaincodesupport runs chaincode for a peer. It serves the gRPC service that chaincode registers with, launches
// chaincode when it is needed, and executes transactions on it.
//
//	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtime: …, Ledgers: …})
//	go cs.Serve(listener) // for chaincode that dials the peer
//	result, err := cs.Execute(ctx, "asset:1.0", handler.TxParams{ChannelID: …, TxID: …, Simulation: …}, input)
//
// What happens on one chaincode's stream is the business of package handler. A Runtime starts chaincode.
//
// # Names and IDs
//
// A chaincode registers under its ID, such as asset:1.0. Channels call it by its name, such as asset. A peer may have
// definitions of chaincodes, as Fabric's has, and give them as Config.Definitions. [ChaincodeSupport.Execute] then finds the
// ID by the name, and checks that a chaincode is initialized if it must be. Without definitions, a chaincode's name is its
// ID.
//
// # A chaincode's life
//
// One run of a chaincode is an instance. The rows in instance.go are its whole life: what may happen to it in which phase,
// and where that leads. The diagram in docs/architecture.md is made from them. [ChaincodeSupport.List] and a
// [LifecycleObserver] show what follows from the phase.
//
// # Goroutines
//
//   - A caller's own goroutine runs Execute, up to the handler. It waits there for a launch, and then in
//     handler.Handler.Execute.
//   - launcher.run is inside Runtime.Run. There is one for each instance that this peer has launched. It ends when nothing
//     of the chaincode is left.
//   - Register runs in the goroutine that gRPC's server has for the stream, and becomes the handler's select loop. A runtime
//     that makes the stream itself calls it in a goroutine of its own. Package handler says which goroutines a stream has.
//   - await starts a goroutine that asks Config.Definitions or Config.Decorators, so that a caller whose time is up can
//     leave it.
//   - lifecycle.deliver lives briefly, and calls the LifecycleObserver.
//   - Serve runs in its caller's goroutine. One more ends its server when everything else has ended.
//   - Timers end a launch that takes too long, and launch a chaincode whose restart is due.
//
// lifetime counts all of these but the timers. Close waits for what it counts. A timer that fires later changes nothing.
//
// # Locks
//
// They are taken in this order, each at most once:
//
//   - instances.mu protects which instance has which chaincode ID, and the records that outlive instances.
//   - lifetime.mu protects whether a launch, a caller or a stream still comes in time.
//   - instance.mu protects the phase of one instance, and what belongs to it.
//   - lifecycle.mu protects what the LifecycleObserver is still to be told.
//
// Nothing is waited for under any of them, and no hook, runtime, observer or logger is called. What is called under
// instance.mu doesn't wait: Handler.Close, and the end of a runtime's context.
package chaincodesupport
