// Package contractchaincode is a chaincode on Fabric's contract API for Go. Its first contract, program, does what the
// chaincode of package gochaincode does; the other one, assets, is as people write them.
package contractchaincode

import (
	"encoding/json"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
)

// New returns the chaincode.
func New() (*contractapi.ContractChaincode, error) {
	return contractapi.NewChaincode(
		&program{Contract: contractapi.Contract{Name: "program"}},
		newAssets(),
	)
}

// program is a contract with one function, which has a program as its parameter.
type program struct {
	contractapi.Contract
	chaincode gochaincode.Chaincode
}

// Do makes the calls of a program. A contract returns a text or an error: what else a program makes of its response is
// lost.
func (p *program) Do(ctx contractapi.TransactionContextInterface, program string) (string, error) {
	words, err := split(program)
	if err != nil {
		return "", err
	}
	r := p.chaincode.Do(ctx.GetStub(), words)
	if r.Status >= 400 {
		return "", errors.New(r.Message)
	}
	return string(r.Payload), nil
}

// Join makes a program of words: they stand between spaces, in JSON's quotes where there could be doubt.
func Join(words []string) string {
	var quoted []string
	for _, w := range words {
		if w == "" || strings.ContainsFunc(w, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f }) {
			b, _ := json.Marshal(w) //nolint:errchkjson // a string can be marshalled
			w = string(b)
		}
		quoted = append(quoted, w)
	}
	return strings.Join(quoted, " ")
}

// split is the inverse of Join.
func split(program string) ([]string, error) {
	var words []string
	for program = strings.TrimLeft(program, " "); program != ""; program = strings.TrimLeft(program, " ") {
		if program[0] != '"' {
			word, rest, _ := strings.Cut(program, " ")
			words, program = append(words, word), rest
			continue
		}
		var word string
		d := json.NewDecoder(strings.NewReader(program))
		if err := d.Decode(&word); err != nil {
			return nil, errors.Wrapf(err, "read the word at %.20q", program)
		}
		words, program = append(words, word), program[d.InputOffset():]
	}
	return words, nil
}
