// Command application is an application of Fabric, on the official client for Go. It finds a network by the variables that ccpeer env
// prints, and by those of Fabric's samples.
//
//	eval "$(ccpeer env)"
//	go run ./application
package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	who, sign, err := user()
	if err != nil {
		return err
	}
	gateway, err := client.Connect(who, client.WithSign(sign), client.WithClientConnection(conn))
	if err != nil {
		return errors.Wrap(err, "connect to the Gateway")
	}
	defer func() { _ = gateway.Close() }()

	asset := gateway.GetNetwork(os.Getenv("CHANNEL_NAME")).GetContract("asset")
	created, err := asset.SubmitTransaction("Create", "car1", "blue")
	if err != nil {
		return errors.Wrap(err, "create an asset")
	}
	read, err := asset.EvaluateTransaction("Read", "car1")
	if err != nil {
		return errors.Wrap(err, "read it")
	}
	fmt.Printf("created %s, read %s\n", created, read)
	return nil
}

// connect dials the peer.
func connect() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials() // a peer with --gateway-tls off
	if file := os.Getenv("TLS_CERT_PATH"); file != "" {
		root, err := os.ReadFile(file) //nolint:gosec // the user's
		if err != nil {
			return nil, errors.Wrap(err, "read TLS root")
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(root)
		creds = credentials.NewClientTLSFromCert(roots, os.Getenv("PEER_HOST_ALIAS"))
	}
	conn, err := grpc.NewClient(os.Getenv("PEER_ENDPOINT"), grpc.WithTransportCredentials(creds))
	return conn, errors.Wrap(err, "dial peer")
}

// user is who the application is, and what signs for it.
func user() (*identity.X509Identity, identity.Sign, error) {
	pem, err := firstFile(os.Getenv("CERT_DIRECTORY_PATH"))
	if err != nil {
		return nil, nil, err
	}
	certificate, err := identity.CertificateFromPEM(pem)
	if err != nil {
		return nil, nil, errors.Wrap(err, "read certificate")
	}
	who, err := identity.NewX509Identity(os.Getenv("MSP_ID"), certificate)
	if err != nil {
		return nil, nil, errors.Wrap(err, "make identity")
	}
	if pem, err = firstFile(os.Getenv("KEY_DIRECTORY_PATH")); err != nil {
		return nil, nil, err
	}
	key, err := identity.PrivateKeyFromPEM(pem)
	if err != nil {
		return nil, nil, errors.Wrap(err, "read key")
	}
	sign, err := identity.NewPrivateKeySign(key)
	return who, sign, errors.Wrap(err, "use key")
}

// firstFile reads the first file of a folder.
func firstFile(folder string) ([]byte, error) {
	files, err := os.ReadDir(folder)
	if err != nil || len(files) == 0 {
		return nil, errors.Errorf("no file in %q: is this what ccpeer env says? (%v)", folder, err)
	}
	text, err := os.ReadFile(filepath.Join(folder, files[0].Name())) //nolint:gosec // the user's
	return text, errors.Wrap(err, "read file")
}
