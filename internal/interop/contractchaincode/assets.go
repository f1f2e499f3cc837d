package contractchaincode

import (
	"encoding/json"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/pkg/errors"
)

// Asset is what the contract assets keeps, as JSON.
type Asset struct {
	ID    string   `json:"id"`
	Value int      `json:"value"`
	Owner string   `json:"owner"`
	Tags  []string `json:"tags,omitempty" metadata:"tags,optional"`
}

// Caller is what a contract can find out about who submitted the transaction.
type Caller struct {
	ID      string `json:"id"`
	MSPID   string `json:"mspID"`
	Subject string `json:"subject"`
	Colour  string `json:"colour"`
	Shaded  bool   `json:"shaded"`
	Blue    string `json:"blue"`
	Red     string `json:"red"`
}

// assetContext is what the functions of assets get.
type assetContext struct {
	contractapi.TransactionContext
	caller string
}

func (c *assetContext) key(id string) (string, error) {
	return c.GetStub().CreateCompositeKey("asset", []string{id})
}

// assets is a contract with typed functions, and functions that run before and after each of them.
type assets struct{ contractapi.Contract }

func newAssets() *assets {
	return &assets{contractapi.Contract{
		Name:                      "assets",
		TransactionContextHandler: new(assetContext),
		BeforeTransaction:         before,
		AfterTransaction:          after,
		UnknownTransaction:        unknown,
	}}
}

// before refuses clients that are banned, by an attribute of their certificate.
func before(ctx *assetContext) error {
	identity := ctx.GetClientIdentity()
	caller, err := identity.GetMSPID()
	if err != nil {
		return err
	}
	if identity.AssertAttributeValue("banned", "true") == nil {
		return errors.Errorf("%s is banned", caller)
	}
	ctx.caller = caller
	return nil
}

// after sets an event that tells what was returned.
func after(ctx *assetContext, returned any) error {
	b, err := json.Marshal(returned)
	if err != nil {
		return errors.Wrap(err, "marshal what was returned")
	}
	return ctx.GetStub().SetEvent("after", b)
}

func unknown(ctx *assetContext) error {
	name, params := ctx.GetStub().GetFunctionAndParameters()
	return errors.Errorf("assets cannot %s %s", name, strings.Join(params, " and "))
}

// Create adds an asset that belongs to the caller.
func (a *assets) Create(ctx *assetContext, id string, value int, tags []string) (*Asset, error) {
	asset := &Asset{ID: id, Value: value, Owner: ctx.caller, Tags: tags}
	exists, err := a.Exists(ctx, id)
	if err != nil {
		return nil, err
	}
	if exists {
		return nil, errors.Errorf("asset %s exists", id)
	}
	return asset, a.Replace(ctx, *asset)
}

// Replace writes an asset as it is.
func (*assets) Replace(ctx *assetContext, asset Asset) error {
	key, err := ctx.key(asset.ID)
	if err != nil {
		return err
	}
	b, err := json.Marshal(asset)
	if err != nil {
		return errors.Wrap(err, "marshal asset")
	}
	return ctx.GetStub().PutState(key, b)
}

// Read returns an asset.
func (*assets) Read(ctx *assetContext, id string) (*Asset, error) {
	key, err := ctx.key(id)
	if err != nil {
		return nil, err
	}
	b, err := ctx.GetStub().GetState(key)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errors.Errorf("there is no asset %s", id)
	}
	asset := new(Asset)
	return asset, errors.Wrap(json.Unmarshal(b, asset), "unmarshal asset")
}

// Exists says whether there is an asset.
func (*assets) Exists(ctx *assetContext, id string) (bool, error) {
	key, err := ctx.key(id)
	if err != nil {
		return false, err
	}
	b, err := ctx.GetStub().GetState(key)
	return len(b) > 0, err
}

// List returns all assets, in the order of their IDs.
func (*assets) List(ctx *assetContext) (_ []*Asset, err error) {
	it, err := ctx.GetStub().GetStateByPartialCompositeKey("asset", nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
	}()
	var all []*Asset
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		asset := new(Asset)
		if err := json.Unmarshal(kv.Value, asset); err != nil {
			return nil, errors.Wrap(err, "unmarshal asset")
		}
		all = append(all, asset)
	}
	return all, nil
}

// Caller returns who submitted the transaction.
func (*assets) Caller(ctx *assetContext) (c *Caller, err error) {
	identity, c := ctx.GetClientIdentity(), new(Caller)
	if c.ID, err = identity.GetID(); err != nil {
		return nil, err
	}
	if c.MSPID, err = identity.GetMSPID(); err != nil {
		return nil, err
	}
	if c.Colour, _, err = identity.GetAttributeValue("colour"); err != nil {
		return nil, err
	}
	if _, c.Shaded, err = identity.GetAttributeValue("shade"); err != nil {
		return nil, err
	}
	certificate, err := identity.GetX509Certificate()
	if err != nil {
		return nil, err
	}
	c.Subject = certificate.Subject.String()
	c.Blue = text(identity.AssertAttributeValue("colour", "blue"))
	c.Red = text(identity.AssertAttributeValue("colour", "red"))
	return c, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
