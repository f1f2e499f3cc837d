// Package pb holds the messages of the Fabric chaincode protocol. [As] and [From] let you use a stream of these messages
// through another generated binding. The gRPC services that carry the messages are in package pbgrpc.
//
// On the wire the messages are identical to Hyperledger Fabric's. But they live in a proto package ("ccpeer") and under file
// paths of their own. Two Go packages that register the same proto name or file path panic when they are linked into one
// program. A chaincode's tests link Fabric's own bindings, so the names must differ.
package pb
