// Package basic is a contract on Fabric's contract API for Go that behaves as the sample asset-transfer-basic does: it keeps assets,
// which anybody may create, change, transfer and delete.
package basic

import (
	"encoding/json"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/pkg/errors"
)

// Contract is the contract.
type Contract struct{ contractapi.Contract }

// Asset is what it keeps.
type Asset struct {
	ID    string `json:"ID"`
	Color string `json:"Color"`
	Size  int    `json:"Size"`
	Owner string `json:"Owner"`
	Value int    `json:"AppraisedValue"`
}

// InitLedger makes a few assets.
func (c *Contract) InitLedger(ctx contractapi.TransactionContextInterface) error {
	for _, a := range []Asset{
		{"asset1", "blue", 5, "Tomoko", 300}, {"asset2", "red", 5, "Brad", 400}, {"asset3", "green", 10, "Jin Soo", 500},
	} {
		if err := put(ctx, &a); err != nil {
			return err
		}
	}
	return nil
}

// CreateAsset makes an asset that isn't there.
func (c *Contract) CreateAsset(ctx contractapi.TransactionContextInterface, id, color string, size int, owner string, value int) error {
	switch exists, err := c.AssetExists(ctx, id); {
	case err != nil:
		return err
	case exists:
		return errors.Errorf("the asset %s already exists", id)
	}
	return put(ctx, &Asset{id, color, size, owner, value})
}

// ReadAsset returns an asset.
func (*Contract) ReadAsset(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	b, err := ctx.GetStub().GetState(id)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errors.Errorf("the asset %s does not exist", id)
	}
	a := new(Asset)
	return a, json.Unmarshal(b, a)
}

// AssetExists says whether there is an asset.
func (*Contract) AssetExists(ctx contractapi.TransactionContextInterface, id string) (bool, error) {
	b, err := ctx.GetStub().GetState(id)
	return len(b) > 0, err
}

// TransferAsset gives an asset another owner, and returns the old one.
func (c *Contract) TransferAsset(ctx contractapi.TransactionContextInterface, id, owner string) (string, error) {
	a, err := c.ReadAsset(ctx, id)
	if err != nil {
		return "", err
	}
	old := a.Owner
	a.Owner = owner
	return old, put(ctx, a)
}

// DeleteAsset deletes an asset.
func (c *Contract) DeleteAsset(ctx contractapi.TransactionContextInterface, id string) error {
	if _, err := c.ReadAsset(ctx, id); err != nil {
		return err
	}
	return ctx.GetStub().DelState(id)
}

// GetAllAssets returns all assets.
func (*Contract) GetAllAssets(ctx contractapi.TransactionContextInterface) ([]*Asset, error) {
	it, err := ctx.GetStub().GetStateByRange("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	all := []*Asset{}
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		a := new(Asset)
		if err := json.Unmarshal(kv.GetValue(), a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func put(ctx contractapi.TransactionContextInterface, a *Asset) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return ctx.GetStub().PutState(a.ID, b)
}
