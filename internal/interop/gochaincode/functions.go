package gochaincode

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// functions are the calls, by name: the stub's methods, those of package cid, ways to misuse iterators, and what tests
// direct a chaincode with.
func (c *Chaincode) functions() map[string]function {
	all := map[string]function{
		"LeaveOpen":      {args: 2, call: leaveOpen},
		"ReadAfterClose": {args: 2, call: readAfterClose},
		"ReadAfterEnd":   {args: 2, call: readAfterEnd},

		"Wait":   {args: 1, call: c.wait},
		"Signal": {args: 1, call: c.send},
		"Kill":   {call: kill},
	}
	for _, some := range []map[string]function{proposalFunctions, clientFunctions, stateFunctions, queryFunctions, privateFunctions} {
		maps.Copy(all, some)
	}
	return all
}

// Calls returns the names of the calls.
func (c *Chaincode) Calls() []string { return slices.Sorted(maps.Keys(c.functions())) }

// proposalFunctions are about the transaction and what it was asked for with.
var proposalFunctions = map[string]function{
	"GetArgs":         {variadic: true, call: func(s stub, _ []string) (string, error) { return fmt.Sprintf("%q", s.GetArgs()), nil }},
	"GetStringArgs":   {variadic: true, call: func(s stub, _ []string) (string, error) { return fmt.Sprintf("%q", s.GetStringArgs()), nil }},
	"GetArgsSlice":    {variadic: true, call: func(s stub, _ []string) (string, error) { return text(s.GetArgsSlice()) }},
	"GetFunction":     {variadic: true, call: getFunction},
	"GetTxID":         {call: func(s stub, _ []string) (string, error) { return s.GetTxID(), nil }},
	"GetChannelID":    {call: func(s stub, _ []string) (string, error) { return s.GetChannelID(), nil }},
	"GetMSPID":        {call: func(stub, []string) (string, error) { return shim.GetMSPID() }},
	"GetCreator":      {call: func(s stub, _ []string) (string, error) { return text(s.GetCreator()) }},
	"GetBinding":      {call: func(s stub, _ []string) (string, error) { return text(s.GetBinding()) }},
	"GetTransient":    {call: getTransient},
	"GetDecorations":  {call: func(s stub, _ []string) (string, error) { return pairs(s.GetDecorations()), nil }},
	"GetProposal":     {call: getProposal},
	"GetTxTimestamp":  {call: getTxTimestamp},
	"SetEvent":        {args: 2, call: func(s stub, a []string) (string, error) { return "", s.SetEvent(a[0], []byte(a[1])) }},
	"InvokeChaincode": {args: 2, variadic: true, call: invokeChaincode},
}

// stateFunctions are about single keys, or some.
var stateFunctions = map[string]function{
	"GetState":           {args: 1, call: func(s stub, a []string) (string, error) { return text(s.GetState(a[0])) }},
	"GetMultipleStates":  {variadic: true, call: func(s stub, a []string) (string, error) { return quoted(s.GetMultipleStates(a...)) }},
	"PutState":           {args: 2, call: func(s stub, a []string) (string, error) { return "", s.PutState(a[0], []byte(a[1])) }},
	"DelState":           {args: 1, call: func(s stub, a []string) (string, error) { return "", s.DelState(a[0]) }},
	"CreateCompositeKey": {args: 1, variadic: true, call: func(s stub, a []string) (string, error) { return s.CreateCompositeKey(a[0], a[1:]) }},
	"SplitCompositeKey":  {args: 1, call: splitCompositeKey},
	"SetStateValidationParameter": {args: 2, call: func(s stub, a []string) (string, error) {
		return "", s.SetStateValidationParameter(a[0], []byte(a[1]))
	}},
	"GetStateValidationParameter": {args: 1, call: func(s stub, a []string) (string, error) {
		return text(s.GetStateValidationParameter(a[0]))
	}},
	"StartWriteBatch": {call: func(s stub, _ []string) (string, error) {
		s.StartWriteBatch()
		return "", nil
	}},
	"FinishWriteBatch": {call: func(s stub, _ []string) (string, error) { return "", s.FinishWriteBatch() }},
}

// queryFunctions are about what iterators yield.
var queryFunctions = map[string]function{
	"GetStateByRange":                             {args: 2, call: getStateByRange},
	"GetStateByRangeWithPagination":               {args: 4, call: getStateByRangeWithPagination},
	"GetStateByPartialCompositeKey":               {args: 1, variadic: true, call: getStateByPartialCompositeKey},
	"GetStateByPartialCompositeKeyWithPagination": {args: 3, variadic: true, call: getStateByPartialCompositeKeyWithPagination},
	"GetAllStatesCompositeKeyWithPagination":      {args: 2, call: getAllStatesCompositeKeyWithPagination},
	"GetQueryResult":                              {args: 1, call: func(s stub, a []string) (string, error) { return readStates(s.GetQueryResult(a[0])) }},
	"GetQueryResultWithPagination":                {args: 3, call: getQueryResultWithPagination},
	"GetHistoryForKey":                            {args: 1, call: getHistoryForKey},
}

func text(b []byte, err error) (string, error) { return string(b), err }

// quoted is values in quotes, a line each.
func quoted(values [][]byte, err error) (string, error) {
	var lines []string
	for _, v := range values {
		lines = append(lines, strconv.Quote(string(v)))
	}
	return strings.Join(lines, "\n"), err
}

// pairs says what is in a map, a line each.
func pairs(m map[string][]byte) string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, k+"="+string(m[k]))
	}
	return strings.Join(lines, "\n")
}

func getFunction(s stub, _ []string) (string, error) {
	name, params := s.GetFunctionAndParameters()
	return fmt.Sprintf("%s %q", name, params), nil
}

func getTransient(s stub, _ []string) (string, error) {
	m, err := s.GetTransient()
	return pairs(m), err
}

// getProposal returns the bytes of the proposal that was signed.
func getProposal(s stub, _ []string) (string, error) {
	p, err := s.GetSignedProposal()
	return string(p.GetProposalBytes()), err
}

func getTxTimestamp(s stub, _ []string) (string, error) {
	at, err := s.GetTxTimestamp()
	if err != nil {
		return "", err
	}
	return at.AsTime().Format(time.RFC3339Nano), nil
}

// invokeChaincode is "InvokeChaincode name channel call...".
func invokeChaincode(s stub, args []string) (string, error) {
	var input [][]byte
	for _, a := range args[2:] {
		input = append(input, []byte(a))
	}
	r := s.InvokeChaincode(args[0], input, args[1])
	return fmt.Sprintf("%d %q %q", r.Status, r.Message, r.Payload), nil
}

func splitCompositeKey(s stub, args []string) (string, error) {
	objectType, attributes, err := s.SplitCompositeKey(args[0])
	return fmt.Sprintf("%s %q", objectType, attributes), err
}

func getStateByRange(s stub, args []string) (string, error) {
	return readStates(s.GetStateByRange(args[0], args[1]))
}

func getStateByPartialCompositeKey(s stub, args []string) (string, error) {
	return readStates(s.GetStateByPartialCompositeKey(args[0], args[1:]))
}

// getStateByRangeWithPagination is "GetStateByRangeWithPagination start end size bookmark".
func getStateByRangeWithPagination(s stub, args []string) (string, error) {
	return paginated(args[2], func(size int32) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
		return s.GetStateByRangeWithPagination(args[0], args[1], size, args[3])
	})
}

// getStateByPartialCompositeKeyWithPagination is "... size bookmark type attribute...".
func getStateByPartialCompositeKeyWithPagination(s stub, args []string) (string, error) {
	return paginated(args[0], func(size int32) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
		return s.GetStateByPartialCompositeKeyWithPagination(args[2], args[3:], size, args[1])
	})
}

// getAllStatesCompositeKeyWithPagination is "... size bookmark".
func getAllStatesCompositeKeyWithPagination(s stub, args []string) (string, error) {
	return paginated(args[0], func(size int32) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
		return s.GetAllStatesCompositeKeyWithPagination(size, args[1])
	})
}

// paginated reads one page, and says at its end how many records the peer says it has, and the bookmark.
func paginated(pageSize string, query func(size int32) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error)) (string, error) {
	size, err := strconv.ParseInt(pageSize, 10, 32)
	if err != nil {
		return "", err
	}
	it, page, err := query(int32(size))
	if err != nil {
		return "", err
	}
	states, err := readStates(it, nil)
	return fmt.Sprintf("%s\n%d %q", states, page.FetchedRecordsCount, page.Bookmark), err
}

// getQueryResultWithPagination is "GetQueryResultWithPagination query size bookmark".
func getQueryResultWithPagination(s stub, args []string) (string, error) {
	return paginated(args[1], func(size int32) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
		return s.GetQueryResultWithPagination(args[0], size, args[2])
	})
}

// readStates says what an iterator yields, a line each, and closes it.
func readStates(it shim.StateQueryIteratorInterface, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var lines []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return "", err
		}
		lines = append(lines, kv.Key+"="+string(kv.Value))
	}
	return strings.Join(lines, "\n"), it.Close()
}

func getHistoryForKey(s stub, args []string) (string, error) {
	it, err := s.GetHistoryForKey(args[0])
	if err != nil {
		return "", err
	}
	var lines []string
	for it.HasNext() {
		m, err := it.Next()
		if err != nil {
			return "", err
		}
		line := m.TxId + " " + m.Timestamp.AsTime().Format(time.RFC3339)
		if m.IsDelete {
			line += " deleted"
		} else {
			line += " " + string(m.Value)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), it.Close()
}
