package cid_test

import (
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim/cid"
)

// auditor is a certificate as Fabric's CA makes one, with the attribute role=auditor.
const auditor = `-----BEGIN CERTIFICATE-----
MIIBhzCCASygAwIBAgIBATAKBggqhkjOPQQDAjA5MRkwFwYDVQQKExBvcmcxLmV4
YW1wbGUuY29tMRwwGgYDVQQDExNjYS5vcmcxLmV4YW1wbGUuY29tMCIYDzAwMDEw
MTAxMDAwMDAwWhgPMjEwNjAyMDcwNjI4MTZaMCAxDzANBgNVBAsTBmNsaWVudDEN
MAsGA1UEAxMEYW5uYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDK3SdJvuU7a
4KtX/nemN/OugxgWfc5hgcaTTnjfSX0OAv2Y1hHe0Wa/tZFQ7DVA0DoSuApbMeRS
y7uqitfyCvSjOjA4MAwGAyoDBAQFb3RoZXIwKAYIKgMEBQYHCAEEHHsiYXR0cnMi
Onsicm9sZSI6ImF1ZGl0b3IifX0wCgYIKoZIzj0EAwIDSQAwRgIhALGBSvS5xjHG
wZ3UWjturBN4C9DHb058NLmhUBdFM43aAiEAvAhPWrprDJKCyZSrYRMbbip/U6VV
QwYAXS79gtntPrc=
-----END CERTIFICATE-----
`

// What chaincode can learn about its client. The stub is what Init and Invoke are given.
func ExampleNew() {
	creator, _ := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP", IdBytes: []byte(auditor)})
	client, err := cid.New(stub{creator: creator})
	if err != nil {
		fmt.Println(err)
		return
	}
	mspID, _ := client.GetMSPID()
	id, _ := client.GetID()
	name, _ := base64.StdEncoding.DecodeString(id)
	role, found, _ := client.GetAttributeValue("role")
	fmt.Println(mspID)
	fmt.Println(string(name))
	fmt.Println(role, found)
	fmt.Println(client.AssertAttributeValue("role", "clerk"))
	// Output:
	// Org1MSP
	// x509::CN=anna,OU=client::CN=ca.org1.example.com,O=org1.example.com
	// auditor true
	// attribute 'role' equals 'auditor', not 'clerk'
}
