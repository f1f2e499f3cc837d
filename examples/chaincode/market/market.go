package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ccpeer/ccpeer/shim"
)

// market is the chaincode.
type market struct{}

var _ shim.Chaincode = market{}

// assetChaincode is the chaincode that keeps what is sold.
const assetChaincode = "asset"

// saleType begins the composite keys of sales: sale, asset, transaction.
const saleType = "sale"

// sale is a sale as it is stored.
type sale struct {
	Asset string `json:"asset"`
	Buyer string `json:"buyer"`
	Price uint64 `json:"price"`
	TxID  string `json:"txId"`
}

// Init has nothing to prepare.
func (market) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke runs the function that the first argument names.
func (market) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	name, args := stub.GetFunctionAndParameters()
	var result any
	var err error
	switch {
	case name == "Sell" && len(args) == 3:
		result, err = sell(stub, args[0], args[1], args[2])
	case name == "Sell":
		return shim.Error("usage: Sell ASSET BUYER PRICE")
	case name == "Sales" && len(args) == 1:
		result, err = sales(stub, args[0])
	case name == "Sales":
		return shim.Error("usage: Sales ASSET")
	default:
		return shim.Error(fmt.Sprintf("unknown function %q", name))
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	payload, err := json.Marshal(result)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// sell has chaincode asset change the owner, and records the sale. Both are committed, or neither is: the two
// chaincodes run in one transaction.
func sell(stub shim.ChaincodeStubInterface, asset, buyer, price string) (*sale, error) {
	amount, err := strconv.ParseUint(price, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("price must be a whole number, not %q", price)
	}
	args := [][]byte{[]byte("Transfer"), []byte(asset), []byte(buyer)}
	if res := stub.InvokeChaincode(assetChaincode, args, ""); res.GetStatus() >= shim.ERRORTHRESHOLD {
		return nil, fmt.Errorf("transfer asset %q: %s%s", asset, res.GetMessage(), res.GetPayload())
	}
	s := &sale{Asset: asset, Buyer: buyer, Price: amount, TxID: stub.GetTxID()}
	key, err := stub.CreateCompositeKey(saleType, []string{asset, s.TxID})
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := stub.PutState(key, value); err != nil {
		return nil, err
	}
	return s, stub.SetEvent("AssetSold", value)
}

// sales returns an asset's sales, in the order of their transactions' IDs.
func sales(stub shim.ChaincodeStubInterface, asset string) ([]sale, error) {
	it, err := stub.GetStateByPartialCompositeKey(saleType, []string{asset})
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	found := []sale{} // an empty list is [], not null
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		var s sale
		if err := json.Unmarshal(kv.GetValue(), &s); err != nil {
			return nil, fmt.Errorf("sale of asset %q is damaged: %w", asset, err)
		}
		found = append(found, s)
	}
	return found, nil
}
