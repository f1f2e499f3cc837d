// Package interop tests the library against Fabric's official bindings and shims. It is a module of its own, so that
// they are nobody's dependency.
//
// What a shim and the peer say to each other is in testdata, a conversation for each thing that chaincode can ask
// for. Every way of running the shim is held to the same text.
package interop
