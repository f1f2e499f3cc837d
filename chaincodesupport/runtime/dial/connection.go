package dial

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"time"

	"github.com/pkg/errors"
)

// connection is a connection.json (Fabric: core/container/externalbuilder). Other fields are ignored, as in Fabric, even the
// "domain" that some files have.
type connection struct {
	Address            string   `json:"address"`
	DialTimeout        duration `json:"dial_timeout"`
	TLSRequired        bool     `json:"tls_required"`
	ClientAuthRequired bool     `json:"client_auth_required"`
	ClientKey          string   `json:"client_key"`
	ClientCert         string   `json:"client_cert"`
	RootCert           string   `json:"root_cert"`
}

// duration is a text such as "10s", or a number of nanoseconds.
type duration time.Duration

// UnmarshalJSON also takes "" for zero. Fabric's ccaas builder writes that if a package doesn't have the field.
func (d *duration) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte(`""`)) {
		*d = 0
		return nil
	}
	if !bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, (*int64)(d))
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	*d = duration(parsed)
	return err
}

// ParseConnection reads a connection.json, in which a chaincode package for Fabric says where its server is. The keys and
// certificates in it are PEM. As in Fabric, the server must prove a certificate of root_cert for the host in address.
// DialTimeout and RetryFor are both set to the file's dial_timeout, or to DefaultDialTimeout. So a server that is started
// together with the peer is waited for that long.
//
// The errors have Fabric's texts where Fabric has one. New reports what else can be wrong, such as plaintext to another
// machine.
func ParseConnection(file []byte) (Config, error) {
	c := connection{}
	if err := json.Unmarshal(file, &c); err != nil {
		return Config{}, errors.Wrap(err, "decode connection.json")
	}
	if c.Address == "" {
		return Config{}, errors.New("chaincode address not provided")
	}
	cfg := Config{Address: c.Address, DialTimeout: time.Duration(c.DialTimeout)}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = DefaultDialTimeout
	}
	cfg.RetryFor = cfg.DialTimeout
	if !c.TLSRequired {
		return cfg, nil
	}
	var err error
	cfg.TLS, err = c.tls()
	return cfg, err
}

func (c *connection) tls() (*tls.Config, error) {
	switch {
	case c.ClientAuthRequired && c.ClientKey == "":
		return nil, errors.New("chaincode tls key not provided")
	case c.ClientAuthRequired && c.ClientCert == "":
		return nil, errors.New("chaincode tls cert not provided")
	case c.RootCert == "":
		return nil, errors.New("chaincode tls root cert not provided")
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	if !cfg.RootCAs.AppendCertsFromPEM([]byte(c.RootCert)) {
		return nil, errors.New("parse root_cert: no PEM certificate found")
	}
	if c.ClientAuthRequired {
		pair, err := tls.X509KeyPair([]byte(c.ClientCert), []byte(c.ClientKey))
		if err != nil {
			return nil, errors.Wrap(err, "parse client_cert and client_key")
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
