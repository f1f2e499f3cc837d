package gochaincode

import (
	"encoding/hex"
)

// privateFunctions are about private data. Their first argument is the collection.
var privateFunctions = map[string]function{
	"GetPrivateData":         {args: 2, call: func(s stub, a []string) (string, error) { return text(s.GetPrivateData(a[0], a[1])) }},
	"GetPrivateDataHash":     {args: 2, call: getPrivateDataHash},
	"GetMultiplePrivateData": {args: 1, variadic: true, call: func(s stub, a []string) (string, error) { return quoted(s.GetMultiplePrivateData(a[0], a[1:]...)) }},
	"PutPrivateData":         {args: 3, call: func(s stub, a []string) (string, error) { return "", s.PutPrivateData(a[0], a[1], []byte(a[2])) }},
	"DelPrivateData":         {args: 2, call: func(s stub, a []string) (string, error) { return "", s.DelPrivateData(a[0], a[1]) }},
	"PurgePrivateData":       {args: 2, call: func(s stub, a []string) (string, error) { return "", s.PurgePrivateData(a[0], a[1]) }},
	"GetPrivateDataByRange": {args: 3, call: func(s stub, a []string) (string, error) {
		return readStates(s.GetPrivateDataByRange(a[0], a[1], a[2]))
	}},
	"GetPrivateDataByPartialCompositeKey": {args: 2, variadic: true, call: func(s stub, a []string) (string, error) {
		return readStates(s.GetPrivateDataByPartialCompositeKey(a[0], a[1], a[2:]))
	}},
	"GetPrivateDataQueryResult": {args: 2, call: func(s stub, a []string) (string, error) {
		return readStates(s.GetPrivateDataQueryResult(a[0], a[1]))
	}},
	"SetPrivateDataValidationParameter": {args: 3, call: func(s stub, a []string) (string, error) {
		return "", s.SetPrivateDataValidationParameter(a[0], a[1], []byte(a[2]))
	}},
	"GetPrivateDataValidationParameter": {args: 2, call: func(s stub, a []string) (string, error) {
		return text(s.GetPrivateDataValidationParameter(a[0], a[1]))
	}},
}

func getPrivateDataHash(s stub, args []string) (string, error) {
	hash, err := s.GetPrivateDataHash(args[0], args[1])
	return hex.EncodeToString(hash), err
}
