// Package pb holds the messages of the Fabric chaincode protocol, and [As] and [From], which let a stream of these
// messages be used through another generated binding. The gRPC services that carry them are in package pbgrpc.
//
// The messages are wire-identical to Hyperledger Fabric's, but live in a proto package ("ccpeer") and under file
// paths of their own: two Go packages that register the same proto name or file path panic when they are linked
// into one program, and a chaincode's tests link Fabric's own bindings.
package pb
