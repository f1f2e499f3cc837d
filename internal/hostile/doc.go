// Package hostile attacks a peer that is a process of its own, whose memory is limited to 1 GiB, as chaincode would that wants
// it dead. Whatever is done, the peer lives, and an honest chaincode is served before, during and after.
//
// That moves gigabytes, so make hostile does it. Otherwise the same is done at a sixteenth of the size, limits included. It
// needs Linux, which says how much memory a process has used.
//
// It is for tests. The peer is the test's own program, so a test calls Main in its TestMain, with the store that the peer has.
package hostile
