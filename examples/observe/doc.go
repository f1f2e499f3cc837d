// Package observe shows how what happens between a peer and its chaincodes becomes metrics and traces: by interceptors, which go
// around every request of chaincode and every transaction. See its examples.
package observe
