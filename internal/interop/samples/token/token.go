// Package token is a contract that behaves as the sample token-erc-20 does. Clients of Org1MSP may mint and burn. Accounts are those
// of the clients' IDs.
package token

import (
	"encoding/json"
	"strconv"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/pkg/errors"
)

// Contract is the contract.
type Contract struct{ contractapi.Contract }

// Transferred is the payload of the event Transfer.
type Transferred struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Value int    `json:"value"`
}

const totalKey = "totalSupply"

// Mint makes tokens for the client.
func (c *Contract) Mint(ctx contractapi.TransactionContextInterface, amount int) error {
	return change(ctx, amount, 1)
}

// Burn destroys tokens of the client.
func (c *Contract) Burn(ctx contractapi.TransactionContextInterface, amount int) error {
	return change(ctx, amount, -1)
}

// change mints or burns.
func change(ctx contractapi.TransactionContextInterface, amount, sign int) error {
	msp, err := ctx.GetClientIdentity().GetMSPID()
	if err != nil {
		return err
	}
	if msp != "Org1MSP" {
		return errors.New("client is not authorized to mint or burn tokens")
	}
	if amount <= 0 {
		return errors.New("amount must be a positive integer")
	}
	client, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return err
	}
	if err := add(ctx, client, sign*amount); err != nil {
		return err
	}
	if err := add(ctx, totalKey, sign*amount); err != nil {
		return err
	}
	from, to := "0x0", client
	if sign < 0 {
		from, to = client, "0x0"
	}
	return transferred(ctx, from, to, amount)
}

// Transfer gives tokens of the client to somebody.
func (c *Contract) Transfer(ctx contractapi.TransactionContextInterface, to string, amount int) error {
	client, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return err
	}
	return move(ctx, client, to, amount)
}

// Approve lets a spender take tokens of the client.
func (c *Contract) Approve(ctx contractapi.TransactionContextInterface, spender string, amount int) error {
	client, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return err
	}
	key, err := ctx.GetStub().CreateCompositeKey("allowance", []string{client, spender})
	if err != nil {
		return err
	}
	return ctx.GetStub().PutState(key, []byte(strconv.Itoa(amount)))
}

// TransferFrom takes tokens that the owner has let the client take.
func (c *Contract) TransferFrom(ctx contractapi.TransactionContextInterface, from, to string, amount int) error {
	spender, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return err
	}
	key, err := ctx.GetStub().CreateCompositeKey("allowance", []string{from, spender})
	if err != nil {
		return err
	}
	allowed, err := get(ctx, key)
	if err != nil {
		return err
	}
	if allowed < amount {
		return errors.New("spender does not have enough allowance for transfer")
	}
	if err := move(ctx, from, to, amount); err != nil {
		return err
	}
	return ctx.GetStub().PutState(key, []byte(strconv.Itoa(allowed-amount)))
}

// ClientAccountID returns the client's account.
func (c *Contract) ClientAccountID(ctx contractapi.TransactionContextInterface) (string, error) {
	return ctx.GetClientIdentity().GetID()
}

// BalanceOf returns how many tokens somebody has.
func (c *Contract) BalanceOf(ctx contractapi.TransactionContextInterface, account string) (int, error) {
	return get(ctx, account)
}

// TotalSupply returns how many tokens there are.
func (c *Contract) TotalSupply(ctx contractapi.TransactionContextInterface) (int, error) {
	return get(ctx, totalKey)
}

func move(ctx contractapi.TransactionContextInterface, from, to string, amount int) error {
	switch {
	case from == to:
		return errors.New("cannot transfer to and from same client account")
	case amount < 0:
		return errors.New("transfer amount cannot be negative")
	}
	if err := add(ctx, from, -amount); err != nil {
		return err
	}
	if err := add(ctx, to, amount); err != nil {
		return err
	}
	return transferred(ctx, from, to, amount)
}

func get(ctx contractapi.TransactionContextInterface, key string) (int, error) {
	b, err := ctx.GetStub().GetState(key)
	if err != nil || len(b) == 0 {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

func add(ctx contractapi.TransactionContextInterface, key string, amount int) error {
	balance, err := get(ctx, key)
	if err != nil {
		return err
	}
	if balance+amount < 0 {
		return errors.Errorf("client account %s has insufficient funds", key)
	}
	return ctx.GetStub().PutState(key, []byte(strconv.Itoa(balance+amount)))
}

func transferred(ctx contractapi.TransactionContextInterface, from, to string, amount int) error {
	b, err := json.Marshal(Transferred{from, to, amount})
	if err != nil {
		return err
	}
	return ctx.GetStub().SetEvent("Transfer", b)
}
