// Package chaincodetest runs real chaincode under go test, on a peer in the same process. It is to chaincode what
// net/http/httptest is to handlers.
//
//	func TestTransfer(t *testing.T) {
//		net := chaincodetest.New(t)
//		net.Deploy("basic", fabricshim.Chaincode(cc))
//		alice := net.As("alice@Org1MSP", "role", "registrar")
//		alice.Submit("basic", "Create", "a1", 5).OK().Writes("a1", Asset{ID: "a1", Size: 5})
//		alice.Submit("basic", "Delete", "nope").Fails("does not exist")
//	}
//
// There are no mocks. The chaincode registers with a peer, and talks to it by Fabric's protocol. The peer endorses what it has read
// and written, an orderer makes a block, and each organization's peer checks, validates and commits it to a ledger in memory, with
// history, private data and rich queries. So a chaincode can't see its own writes, a transaction may lack an endorsement, and two
// transactions of a block may conflict, as on any network.
//
// What a test expects is said about a transaction: OK, Fails, Event, Writes. If it isn't so, the test fails at that line. The
// message has what was expected, all that the transaction has read and written, and the conversation between chaincode and
// peer. A transaction that failed fails the test, too, if nothing asks how it ended.
//
// # What can be deployed
//
// InProcess takes chaincode written against this library's shim. The module chaincodetest/fabricshim takes chaincode on Fabric's
// own shim and contract API. Both run in the test's process, so breakpoints and coverage work. GoPackage, Command and Server
// run chaincode as a process of its own. Mock answers in the place of a chaincode that yours calls.
//
// # Panics
//
// A panic of chaincode in this process fails its test, with the stack. The process goes on. What can't be caught is a panic in
// a goroutine that the chaincode itself has started, as in any Go program: it ends the process with all its tests.
//
// # What is checked without being asked
//
// Submit runs a chaincode several times on the same state, and fails the test if the runs differ: on a network, peers would not agree.
// Option WithoutDeterminism turns that off, and WithRuns says how often. WithOrganizations gives the network more organizations, whose peers are compared, too.
//
// There is no timeout but go test's own, so a breakpoint may hold a transaction for as long as you like.
//
// # Goroutines
//
// A Net has those of its peers and of their chaincode. All have ended when the test has, so goleak finds none. A Net, its clients and
// its transactions are safe for concurrent use, by parallel subtests, too. As with testing.T, what may fail a test is to be called by
// the test's own goroutine; Tx.Err never fails one.
package chaincodetest
