package dial_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
)

// connectionFile is a connection.json as Fabric's documentation has it.
type connectionFile struct {
	Address            string `json:"address"`
	DialTimeout        string `json:"dial_timeout"`
	TLSRequired        bool   `json:"tls_required"`
	ClientAuthRequired bool   `json:"client_auth_required"`
	ClientKey          string `json:"client_key"`
	ClientCert         string `json:"client_cert"`
	RootCert           string `json:"root_cert"`
}

func (f connectionFile) text() string {
	b, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestParseConnection(t *testing.T) {
	p := selfSigned(t)
	cert, key := string(p.cert), string(p.key)
	for name, test := range map[string]struct {
		file    string
		timeout time.Duration
		roots   bool
		own     int
	}{
		"least":             {`{"address":"127.0.0.1:9999"}`, 3 * time.Second, false, 0},
		"dial timeout":      {connectionFile{Address: "127.0.0.1:9999", DialTimeout: "10s"}.text(), 10 * time.Second, false, 0},
		"nanoseconds":       {`{"address":"127.0.0.1:9999","dial_timeout":2000000}`, 2 * time.Millisecond, false, 0},
		"no dial timeout":   {connectionFile{Address: "127.0.0.1:9999"}.text(), 3 * time.Second, false, 0},
		"null":              {`{"address":"127.0.0.1:9999","dial_timeout":null}`, 3 * time.Second, false, 0},
		"what is not known": {`{"address":"127.0.0.1:9999","domain":"x","more":[1]}`, 3 * time.Second, false, 0},
		"TLS":               {connectionFile{Address: "127.0.0.1:9999", TLSRequired: true, RootCert: cert}.text(), 3 * time.Second, true, 0},
		"mutual TLS": {connectionFile{Address: "127.0.0.1:9999", TLSRequired: true, RootCert: cert, ClientAuthRequired: true,
			ClientKey: key, ClientCert: cert}.text(), 3 * time.Second, true, 1},
		"client's certificate not asked for": {connectionFile{Address: "127.0.0.1:9999", TLSRequired: true, RootCert: cert,
			ClientKey: "?", ClientCert: "?"}.text(), 3 * time.Second, true, 0},
		"certificates without TLS": {connectionFile{Address: "127.0.0.1:9999", RootCert: "?", ClientAuthRequired: true}.text(), 3 * time.Second, false, 0},
	} {
		cfg, err := dial.ParseConnection([]byte(test.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if cfg.Address != "127.0.0.1:9999" || cfg.DialTimeout != test.timeout || cfg.RetryFor != test.timeout {
			t.Errorf("%s: %+v", name, cfg)
		}
		if (cfg.TLS != nil) != test.roots || cfg.TLS != nil && (cfg.TLS.RootCAs == nil || cfg.TLS.InsecureSkipVerify || len(cfg.TLS.Certificates) != test.own) {
			t.Errorf("%s: TLS is %+v", name, cfg.TLS)
		}
		if _, err := dial.New(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseConnectionRefuses(t *testing.T) {
	p, other := selfSigned(t), selfSigned(t)
	cert, key := string(p.cert), string(p.key)
	full := connectionFile{Address: "127.0.0.1:9999", TLSRequired: true, RootCert: cert, ClientAuthRequired: true, ClientKey: key, ClientCert: cert}
	with := func(change func(*connectionFile)) string {
		f := full
		change(&f)
		return f.text()
	}
	for _, test := range []struct{ file, want string }{
		{"", "decode connection.json: unexpected end of JSON input"},
		{"[]", "decode connection.json"},
		{"{}", "chaincode address not provided"},
		{`{"address":7}`, "decode connection.json"},
		{with(func(f *connectionFile) { f.Address = "" }), "chaincode address not provided"},
		{with(func(f *connectionFile) { f.DialTimeout = "10" }), "missing unit in duration"},
		{`{"address":"a","dial_timeout":true}`, "decode connection.json"},
		{`{"address":"a","dial_timeout":1.5}`, "decode connection.json"},
		{with(func(f *connectionFile) { f.ClientKey = "" }), "chaincode tls key not provided"},
		{with(func(f *connectionFile) { f.ClientCert = "" }), "chaincode tls cert not provided"},
		{with(func(f *connectionFile) { f.RootCert = "" }), "chaincode tls root cert not provided"},
		{with(func(f *connectionFile) { f.RootCert = "/path/to/root.pem" }), "parse root_cert: no PEM certificate found"},
		{with(func(f *connectionFile) { f.ClientKey = "?" }), "parse client_cert and client_key"},
		{with(func(f *connectionFile) { f.ClientKey = string(other.key) }), "parse client_cert and client_key"},
	} {
		_, err := dial.ParseConnection([]byte(test.file))
		wantText(t, err, test.want)
		if err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	for file, want := range map[string]string{
		`{"address":"127.0.0.1:9999","dial_timeout":"-1s"}`:                                    "dial timeout -1s is negative",
		connectionFile{Address: "asset.example.com:9999"}.text():                               "plaintext is for loopback and unix: only",
		connectionFile{Address: "unix:///x", TLSRequired: true, RootCert: cert}.text():         "has no host to verify",
		connectionFile{Address: "asset.example.com", TLSRequired: true, RootCert: cert}.text(): "cannot be dialled",
	} {
		cfg, err := dial.ParseConnection([]byte(file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		_, err = dial.New(cfg)
		wantText(t, err, want)
	}
}

// Whatever a package's file says, it does not panic, does not lead to plaintext to another machine, and does not turn off
// the verification of names.
func FuzzParseConnection(f *testing.F) {
	for _, seed := range []string{`{"address":"127.0.0.1:9999","dial_timeout":"10s"}`, `{"address":"h:1","tls_required":true,"root_cert":"x"}`, `{"dial_timeout":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		cfg, err := dial.ParseConnection(file)
		if err != nil {
			return
		}
		if cfg.Address == "" || cfg.DialTimeout == 0 || cfg.TLS != nil && (cfg.TLS.InsecureSkipVerify || cfg.TLS.RootCAs == nil) {
			t.Errorf("%q: %+v", file, cfg)
		}
		_, _ = dial.New(cfg)
	})
}
