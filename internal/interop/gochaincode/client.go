package gochaincode

import (
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
)

// clientFunctions are about who submitted the transaction, as package cid has it.
var clientFunctions = map[string]function{
	"GetID":           {call: func(s stub, _ []string) (string, error) { return cid.GetID(s) }},
	"GetClientMSPID":  {call: func(s stub, _ []string) (string, error) { return cid.GetMSPID(s) }},
	"GetAttribute":    {args: 1, call: getAttribute},
	"AssertAttribute": {args: 2, call: func(s stub, a []string) (string, error) { return "", cid.AssertAttributeValue(s, a[0], a[1]) }},
	"HasOU":           {args: 1, call: hasOU},
	"GetCertificate":  {call: getCertificate},
}

// getAttribute returns nothing for an attribute that the client hasn't got.
func getAttribute(s stub, args []string) (string, error) {
	value, _, err := cid.GetAttributeValue(s, args[0])
	return value, err
}

func hasOU(s stub, args []string) (string, error) {
	has, err := cid.HasOUValue(s, args[0])
	return strconv.FormatBool(has), err
}

// getCertificate returns whose certificate it is.
func getCertificate(s stub, _ []string) (string, error) {
	c, err := cid.GetX509Certificate(s)
	if err != nil {
		return "", err
	}
	return c.Subject.String(), nil
}
