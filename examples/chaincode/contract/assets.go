package main

import (
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

// Assets is the contract: its exported methods are what clients call. The contract API turns the arguments into what
// the methods take, and what they return into JSON.
type Assets struct {
	contractapi.Contract
}

// Asset is an asset as it is stored, under its ID, and as it is returned.
type Asset struct {
	ID    string   `json:"id"`
	Color string   `json:"color"`
	Size  int      `json:"size"`
	Owner string   `json:"owner"` // the ID of a client's identity
	Tags  []string `json:"tags,omitempty" metadata:"tags,optional"`
}

// Details are what the owner of an asset says about it.
type Details struct {
	Color string   `json:"color"`
	Size  int      `json:"size"`
	Tags  []string `json:"tags,omitempty" metadata:"tags,optional"`
}

// Create makes an asset that belongs to the caller.
func (c *Assets) Create(ctx contractapi.TransactionContextInterface, id string, d Details) (*Asset, error) {
	exists, err := c.Exists(ctx, id)
	if err != nil {
		return nil, err
	}
	if exists {
		return nil, fmt.Errorf("asset %q already exists", id)
	}
	caller, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return nil, err
	}
	a := &Asset{ID: id, Color: d.Color, Size: d.Size, Owner: caller, Tags: d.Tags}
	return a, put(ctx, "AssetCreated", a)
}

// Read returns an asset.
func (*Assets) Read(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	value, err := ctx.GetStub().GetState(id)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("asset %q does not exist", id)
	}
	return decode(id, value)
}

// Exists says whether there is an asset.
func (*Assets) Exists(ctx contractapi.TransactionContextInterface, id string) (bool, error) {
	value, err := ctx.GetStub().GetState(id)
	return len(value) > 0, err
}

// List returns all assets of a size, or larger.
func (*Assets) List(ctx contractapi.TransactionContextInterface, size int) ([]*Asset, error) {
	it, err := ctx.GetStub().GetStateByRange("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	all := []*Asset{} // an empty list is [], not null
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		a, err := decode(kv.GetKey(), kv.GetValue())
		if err != nil {
			return nil, err
		}
		if a.Size >= size {
			all = append(all, a)
		}
	}
	return all, nil
}

// Transfer gives an asset of the caller to somebody else, who is named by the ID that WhoAmI returns to them.
func (c *Assets) Transfer(ctx contractapi.TransactionContextInterface, id, newOwner string) (*Asset, error) {
	a, err := c.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	caller, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return nil, err
	}
	if a.Owner != caller {
		return nil, fmt.Errorf("asset %q is not the caller's", id)
	}
	a.Owner = newOwner
	return a, put(ctx, "AssetTransferred", a)
}

// Delete deletes an asset. The caller's certificate must have the attribute "role" with the value "registrar".
func (c *Assets) Delete(ctx contractapi.TransactionContextInterface, id string) error {
	if err := ctx.GetClientIdentity().AssertAttributeValue("role", "registrar"); err != nil {
		return fmt.Errorf("only registrars delete assets: %w", err)
	}
	if _, err := c.Read(ctx, id); err != nil {
		return err
	}
	if err := ctx.GetStub().DelState(id); err != nil {
		return err
	}
	return ctx.GetStub().SetEvent("AssetDeleted", []byte(id))
}

// WhoAmI returns the caller's MSP and ID.
func (*Assets) WhoAmI(ctx contractapi.TransactionContextInterface) (map[string]string, error) {
	client := ctx.GetClientIdentity()
	msp, err := client.GetMSPID()
	if err != nil {
		return nil, err
	}
	id, err := client.GetID()
	return map[string]string{"msp": msp, "id": id}, err
}

func decode(id string, value []byte) (*Asset, error) {
	a := new(Asset)
	if err := json.Unmarshal(value, a); err != nil {
		return nil, fmt.Errorf("asset %q is damaged: %w", id, err)
	}
	return a, nil
}

// put stores an asset and sets the event that tells of it.
func put(ctx contractapi.TransactionContextInterface, event string, a *Asset) error {
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := ctx.GetStub().PutState(a.ID, value); err != nil {
		return err
	}
	return ctx.GetStub().SetEvent(event, value)
}
