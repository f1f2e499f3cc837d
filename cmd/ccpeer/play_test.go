package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/shim"
)

// What makes the test binary play the probe: the folder of a chaincode.json, or the address that a server is to have.
const (
	playRun    = "EXAMPLE_TEST_PLAY_RUN"
	playServer = "EXAMPLE_TEST_PLAY_SERVER"
)

// loadRunMetadata reads what a builder's bin/run is given.
func loadRunMetadata(dir string) (shim.Config, error) {
	text, err := os.ReadFile(filepath.Join(dir, "chaincode.json"))
	if err != nil {
		return shim.Config{}, err
	}
	var m struct {
		ID      string `json:"chaincode_id"`
		Address string `json:"peer_address"`
		Cert    string `json:"client_cert"`
		Key     string `json:"client_key"`
		Root    string `json:"root_cert"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return shim.Config{}, err
	}
	pair, err := tls.X509KeyPair([]byte(m.Cert), []byte(m.Key))
	if err != nil {
		return shim.Config{}, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(m.Root)) {
		return shim.Config{}, errors.New("there is no root certificate")
	}
	return shim.Config{ChaincodeID: m.ID, PeerAddress: m.Address,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}}, nil
}

// serveProbe is the main function of the chaincode as a server. Unless it is told its ID, that is served:1.0.
func serveProbe(address string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := shim.Serve(ctx, shim.ChaincodeServer{CCID: cmp.Or(os.Getenv("CHAINCODE_ID"), "served:1.0"), Address: address, CC: newProbe(), TLSProps: shim.TLSProperties{Disabled: true}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
