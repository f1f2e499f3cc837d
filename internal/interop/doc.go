// Package interop tests the library against Fabric's official bindings and shims. It is a module of its own, so that
// they are nobody's dependency.
//
// A shim is a family, and there are ways of running it: as a process that dials the peer, as a server that the peer
// dials, in the peer's process. Every family has a chaincode that does what its arguments say; they all know the same
// words (see gochaincode). What a shim and the peer say to each other is in testdata, a conversation for each thing that
// chaincode can ask for. Every way of running the shim is held to the same text.
//
// The other tests are about what happens to chaincode's processes and connections. One of them can last: with
// go test -run TestIdleSoak -soak 6m -timeout 20m, chaincode is idle for minutes, instead of seconds.
package interop
