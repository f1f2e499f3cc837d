package shim

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/pkg/errors"
)

// defaultGrace is the default of Config.Grace.
const defaultGrace = 5 * time.Second

// Config says who the chaincode is and where its peer is. It is copied when it is used.
type Config struct {
	// ChaincodeID is what the chaincode registers as. Required.
	ChaincodeID string
	// PeerAddress is where the peer listens: "host:port", or a gRPC target such as "unix:///run/peer.sock". Run requires it.
	// Nothing else uses it.
	PeerAddress string
	// TLS is for the connection to the peer. Nil means plaintext. Only Run uses it.
	TLS *tls.Config
	// Logger gets panics (Error), results that could not be sent (Warn) and the like. Nil: nothing is logged.
	Logger *slog.Logger
	// Grace is how long running transactions may take to finish after the stream has ended or, for Run, after its context
	// has ended. 0 means 5 seconds. A transaction that runs longer is left behind, and the error says so.
	Grace time.Duration
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) grace() time.Duration {
	if c.Grace <= 0 {
		return defaultGrace
	}
	return c.Grace
}

// check returns an error if something is missing that every conversation needs.
func (c Config) check(cc Chaincode) error {
	if c.ChaincodeID == "" {
		return errors.New("chaincode ID must be specified")
	}
	if cc == nil {
		return errors.New("chaincode must be specified")
	}
	return nil
}

// LoadConfig makes a Config from the environment that a peer gives its chaincode. lookupEnv is os.LookupEnv, or a
// replacement for it. If peerAddress is not empty, it is used instead of CORE_PEER_ADDRESS.
//
// CORE_CHAINCODE_ID_NAME and CORE_PEER_TLS_ENABLED ("true" or "false") are required. With TLS, the client's key is read from
// the file CORE_TLS_CLIENT_KEY_FILE (PEM) or else CORE_TLS_CLIENT_KEY_PATH (base64 of PEM). Its certificate is read in the
// same way from CORE_TLS_CLIENT_CERT_FILE or CORE_TLS_CLIENT_CERT_PATH. The peer's root certificates are read from
// CORE_PEER_TLS_ROOTCERT_FILE (PEM).
func LoadConfig(peerAddress string, lookupEnv func(string) (string, bool)) (Config, error) {
	get := func(name string) string {
		value, _ := lookupEnv(name)
		return value
	}
	c := Config{ChaincodeID: get("CORE_CHAINCODE_ID_NAME"), PeerAddress: peerAddress}
	if c.ChaincodeID == "" {
		return Config{}, errors.New("'CORE_CHAINCODE_ID_NAME' must be set")
	}
	if c.PeerAddress == "" {
		c.PeerAddress = get("CORE_PEER_ADDRESS")
	}
	if c.PeerAddress == "" {
		return Config{}, errors.New("flag 'peer.address' must be set")
	}
	enabled, err := strconv.ParseBool(get("CORE_PEER_TLS_ENABLED"))
	if err != nil {
		return Config{}, errors.New("'CORE_PEER_TLS_ENABLED' must be set to 'true' or 'false'")
	}
	if enabled {
		c.TLS, err = loadTLS(lookupEnv)
	}
	return c, err
}

func loadTLS(lookupEnv func(string) (string, bool)) (*tls.Config, error) {
	key, err := readPEM(lookupEnv, "CORE_TLS_CLIENT_KEY")
	if err != nil {
		return nil, err
	}
	cert, err := readPEM(lookupEnv, "CORE_TLS_CLIENT_CERT")
	if err != nil {
		return nil, err
	}
	file, _ := lookupEnv("CORE_PEER_TLS_ROOTCERT_FILE")
	root, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Wrap(err, "read CORE_PEER_TLS_ROOTCERT_FILE")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.Wrap(err, "parse client key pair")
	}
	roots, err := certPool(root)
	if err != nil {
		return nil, errors.Wrapf(err, "parse CORE_PEER_TLS_ROOTCERT_FILE %q", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}

// readPEM reads the file that the variable name_FILE names, or decodes the one that name_PATH names.
func readPEM(lookupEnv func(string) (string, bool), name string) ([]byte, error) {
	if file, ok := lookupEnv(name + "_FILE"); ok {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, errors.Wrapf(err, "read %s_FILE", name)
		}
		return pem, nil
	}
	file, ok := lookupEnv(name + "_PATH")
	if !ok {
		return nil, errors.Errorf("with TLS, '%s_FILE' or '%[1]s_PATH' must be set", name)
	}
	encoded, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Wrapf(err, "read %s_PATH", name)
	}
	pem, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil, errors.Wrapf(err, "decode %s_PATH %q, which must be base64", name, file)
	}
	return pem, nil
}

func certPool(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no PEM certificate found")
	}
	return pool, nil
}
