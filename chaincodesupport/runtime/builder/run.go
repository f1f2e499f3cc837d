package builder

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
)

// runMetadata is chaincode.json. As in Fabric, it always has all fields, even empty ones.
type runMetadata struct {
	ChaincodeID string `json:"chaincode_id"`
	PeerAddress string `json:"peer_address"`
	ClientCert  string `json:"client_cert"`
	ClientKey   string `json:"client_key"`
	RootCert    string `json:"root_cert"`
	MSPID       string `json:"mspid"`
}

// launch runs bin/run until nothing of it is left.
func (b *Build) launch(ctx context.Context) error {
	if ok, err := b.builder.has("run"); err != nil {
		return &runtime.StartError{Cause: err}
	} else if !ok {
		return &runtime.StartError{Cause: errors.Errorf("builder %q has released no connection.json, and has no bin/run", b.Builder)}
	}
	dir, forget, err := b.writeRunMetadata(ctx)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	defer forget()
	cfg := &b.runtime.cfg
	c := command{builder: b.builder, pkg: b.PackageID, script: "run", args: []string{filepath.Join(b.dir, outputFolder), dir},
		log: cfg.Logger.Named("peer.chaincode." + b.PackageID)}
	exit, err := b.runtime.run(ctx, c)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	return exit.Err(c.failure(exit, nil))
}

// writeRunMetadata makes the folder that bin/run gets. forget removes it, and revokes the credential in it.
func (b *Build) writeRunMetadata(ctx context.Context) (dir string, forget func(), err error) {
	cfg := &b.runtime.cfg
	s := shimenv.Settings{ChaincodeID: b.PackageID, PeerAddress: cfg.PeerAddress, MSPID: cfg.MSPID}
	m := runMetadata{ChaincodeID: s.ChaincodeID, PeerAddress: s.PeerAddress, MSPID: s.LocalMSPID()}
	revoke := func() {}
	if cfg.TLS != nil {
		c, err := cfg.TLS.Issue(b.PackageID)
		if err != nil {
			return "", nil, errors.WithMessage(err, "issue the chaincode's credential")
		}
		m.ClientCert, m.ClientKey, m.RootCert, revoke = string(c.Cert), string(c.Key), string(c.RootCert), c.Revoke
	}
	dir, done, err := b.runtime.scratch(ctx, func() (string, error) {
		text, err := json.Marshal(m)
		if err != nil {
			return "", err
		}
		return shimenv.WriteTemp(cfg.Dir, scratchPrefix, shimenv.File{Name: "chaincode.json", Content: text})
	})
	if err != nil {
		revoke()
		return "", nil, errors.Wrap(err, "write chaincode.json")
	}
	return dir, func() {
		revoke()
		if err := done(); err != nil {
			cfg.Logger.Named("chaincode.externalbuilder").Error("keys of a chaincode are left on disk", zap.String("folder", dir), zap.Error(err))
		}
	}, nil
}
