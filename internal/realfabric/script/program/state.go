package program

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// result is what a function answers.
func result(payload []byte, err error) *pb.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// put writes values under keys, which alternate. It answers the last value.
func put(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	last := ""
	for i := 0; i+1 < len(args); i += 2 {
		last = args[i+1]
		if err := stub.PutState(args[i], []byte(last)); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success([]byte(last))
}

func get(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(stub.GetState(args[0]))
}

func del(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(nil, stub.DelState(args[0]))
}

// move adds what is in its second argument to what is there, as somebody who counts does.
func move(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	before, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	after := append(before, args[1]...)
	return result(after, stub.PutState(args[0], after))
}

// rows reads all that an iterator has, and closes it.
func rows(it shim.StateQueryIteratorInterface, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var all []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return "", err
		}
		all = append(all, kv.GetKey()+"="+string(kv.GetValue()))
	}
	return strings.Join(all, " "), it.Close()
}

func scan(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	text, err := rows(stub.GetStateByRange(args[0], args[1]))
	return result([]byte(text), err)
}

// scanAndPut reads a range, and writes a value.
func scanAndPut(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	text, err := rows(stub.GetStateByRange(args[0], args[1]))
	if err != nil {
		return shim.Error(err.Error())
	}
	return result([]byte(text), stub.PutState(args[2], []byte(args[3])))
}

func page(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	size, err := strconv.ParseInt(args[2], 10, 32)
	if err != nil {
		return shim.Error(err.Error())
	}
	it, metadata, err := stub.GetStateByRangeWithPagination(args[0], args[1], int32(size), args[3])
	text, err := rows(it, err)
	return result(fmt.Appendf(nil, "%s; %d until %q", text, metadata.GetFetchedRecordsCount(), metadata.GetBookmark()), err)
}

// putComposite writes a value under a key that has a type and attributes.
func putComposite(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	last := len(args) - 1
	key, err := stub.CreateCompositeKey(args[0], args[1:last])
	if err != nil {
		return shim.Error(err.Error())
	}
	return result([]byte(strings.ReplaceAll(key, "\x00", "|")), stub.PutState(key, []byte(args[last])))
}

func partial(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	text, err := rows(stub.GetStateByPartialCompositeKey(args[0], args[1:]))
	return result([]byte(strings.ReplaceAll(text, "\x00", "|")), err)
}

func query(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	text, err := rows(stub.GetQueryResult(args[0]))
	return result([]byte(text), err)
}

// history answers the values of a key.
func history(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	it, err := stub.GetHistoryForKey(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	var all []string
	for it.HasNext() {
		m, err := it.Next()
		if err != nil {
			return shim.Error(err.Error())
		}
		all = append(all, fmt.Sprintf("%s deleted=%t", m.GetValue(), m.GetIsDelete()))
	}
	return result([]byte(strings.Join(all, ", ")), it.Close())
}

// policyOf is the endorsement policy that needs a peer of each of some organizations; of none, there is no policy.
func policyOf(organizations []string) ([]byte, error) {
	if len(organizations) == 0 {
		return nil, nil
	}
	var roles []string
	for _, o := range organizations {
		roles = append(roles, "'"+o+".peer'")
	}
	p, err := policies.Parse("AND(" + strings.Join(roles, ", ") + ")")
	if err != nil {
		return nil, err
	}
	return p.Marshal()
}

// policy has a key need endorsement by organizations.
func policy(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	p, err := policyOf(args[1:])
	if err != nil {
		return shim.Error(err.Error())
	}
	return result(nil, stub.SetStateValidationParameter(args[0], p))
}

// getPolicy answers whose endorsement a key needs.
func getPolicy(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	b, err := stub.GetStateValidationParameter(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	if b == nil {
		return shim.Success([]byte("none"))
	}
	p, err := policies.Unmarshal(b)
	return result(fmt.Append(nil, p), err)
}
