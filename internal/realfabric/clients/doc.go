// Package clients runs programs on Fabric's official clients, as they are published, against a network of Fabric and against one
// of this repository's. Such a program does what an application can do, and prints a line of JSON for each step: the lines must be
// the same.
//
// Each program has a folder: node is on @hyperledger/fabric-gateway, java on fabric-gateway for Java, legacy on fabric-network 2.2.
// Their chaincode runs in the test.
package clients
