// Package benchpeer measures networks as their clients see them: one of Fabric, and one of this library, in turns, on the same
// machine. It is what "make bench-peer" runs.
//
// Both have two organizations with a peer each and an orderer, TLS, and the same chaincode, which is a server in the clients'
// process. So what is measured of a network is everything but its clients and its chaincode. A network of this library is a process
// of its own, too, with Pebble as its store.
package benchpeer
