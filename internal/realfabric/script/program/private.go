package program

import (
	"fmt"
	"slices"
	"strings"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func putPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result([]byte(args[2]), stub.PutPrivateData(args[0], args[1], []byte(args[2])))
}

func getPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(stub.GetPrivateData(args[0], args[1]))
}

func hashPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	b, err := stub.GetPrivateDataHash(args[0], args[1])
	return result(fmt.Appendf(nil, "%d bytes", len(b)), err)
}

func delPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(nil, stub.DelPrivateData(args[0], args[1]))
}

func purgePrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(nil, stub.PurgePrivateData(args[0], args[1]))
}

func scanPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	text, err := rows(stub.GetPrivateDataByRange(args[0], args[1], args[2]))
	return result([]byte(text), err)
}

func policyPrivate(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	p, err := policyOf(args[2:])
	if err != nil {
		return shim.Error(err.Error())
	}
	return result(nil, stub.SetPrivateDataValidationParameter(args[0], args[1], p))
}

// putTransient writes what is named value in the transient data.
func putTransient(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	given, err := stub.GetTransient()
	if err != nil {
		return shim.Error(err.Error())
	}
	value, ok := given["value"]
	if !ok {
		return shim.Error("no value in the transient data")
	}
	return result(nil, stub.PutPrivateData(args[0], args[1], value))
}

// transient answers the transient data.
func transient(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	given, err := stub.GetTransient()
	if err != nil {
		return shim.Error(err.Error())
	}
	var all []string
	for k, v := range given {
		all = append(all, k+"="+string(v))
	}
	slices.Sort(all)
	return shim.Success([]byte(strings.Join(all, " ")))
}
