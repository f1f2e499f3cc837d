package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// walletEntry is an identity as fabric-network keeps it in a folder, which it calls a wallet.
type walletEntry struct {
	Credentials walletCredentials `json:"credentials"`
	MSPID       string            `json:"mspId"`
	Type        string            `json:"type"`
	Version     int               `json:"version"`
}

type walletCredentials struct {
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"privateKey"`
}

// writeWallet puts the application's identity into a wallet, which is made if it is not there. Its label is the user's name.
func (e *envJSON) writeWallet(folder string) error {
	if e.Certificate == "" || filepath.Base(e.User) != e.User {
		return errors.Errorf("%q can't be in a wallet", e.User)
	}
	certificate, err := os.ReadFile(e.Certificate)
	if err != nil {
		return errors.Wrap(err, "read certificate")
	}
	key, err := os.ReadFile(e.Key)
	if err != nil {
		return errors.Wrap(err, "read key")
	}
	entry, err := json.Marshal(walletEntry{walletCredentials{string(certificate), string(key)}, e.MSPID, "X.509", 1})
	if err != nil {
		return errors.Wrap(err, "encode identity")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return errors.Wrap(err, "make wallet")
	}
	return errors.Wrap(os.WriteFile(filepath.Join(folder, e.User+".id"), entry, 0o600), "write identity")
}
