package shimenv_test

import (
	"fmt"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
)

// What a runtime of one's own says to start a container: the credential is one of accesscontrol's, and the files are copied
// into the container before it starts.
func Example() {
	issued := &runtime.Credential{Key: []byte("key"), Cert: []byte("certificate"), RootCert: []byte("root")}
	settings := shimenv.Settings{
		ChaincodeID: "asset:1.0",
		PeerAddress: "peer0.org1.example.com:7052",
		MSPID:       "Org1MSP",
		Credential:  issued,
		Dir:         "/etc/hyperledger/fabric",
	}
	for _, variable := range settings.Environ() {
		fmt.Println("--env", variable)
	}
	for _, file := range settings.Files() {
		fmt.Println(file.Name, len(file.Content), "bytes")
	}
	// Output:
	// --env CORE_CHAINCODE_ID_NAME=asset:1.0
	// --env CORE_PEER_ADDRESS=peer0.org1.example.com:7052
	// --env CORE_PEER_LOCALMSPID=Org1MSP
	// --env CORE_CHAINCODE_LOGGING_LEVEL=info
	// --env CORE_CHAINCODE_LOGGING_SHIM=warning
	// --env CORE_PEER_TLS_ENABLED=true
	// --env CORE_TLS_CLIENT_KEY_PATH=/etc/hyperledger/fabric/client.key
	// --env CORE_TLS_CLIENT_CERT_PATH=/etc/hyperledger/fabric/client.crt
	// --env CORE_TLS_CLIENT_KEY_FILE=/etc/hyperledger/fabric/client_pem.key
	// --env CORE_TLS_CLIENT_CERT_FILE=/etc/hyperledger/fabric/client_pem.crt
	// --env CORE_PEER_TLS_ROOTCERT_FILE=/etc/hyperledger/fabric/peer.crt
	// client.key 4 bytes
	// client.crt 16 bytes
	// client_pem.key 3 bytes
	// client_pem.crt 11 bytes
	// peer.crt 4 bytes
}
