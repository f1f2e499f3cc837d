package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/handler"
)

// configFolder returns a folder that has what the configurations of the tests name.
func configFolder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "asset"), "a program")
	if err := os.Chmod(filepath.Join(dir, "asset"), 0o700); err != nil {
		t.Fatal(err)
	}
	write1(t, filepath.Join(dir, "connection.json"), `{"address": "127.0.0.1:9999", "dial_timeout": "7s"}`)
	write1(t, filepath.Join(dir, "secure.json"), secureConnection(t, "asset.invalid:9999"))
	write1(t, filepath.Join(dir, "collections.json"), collectionsConfig)
	write1(t, filepath.Join(dir, "src/META-INF/statedb/couchdb/indexes/size.json"),
		`{"index":{"fields":["size"]},"ddoc":"sizeDoc","name":"size","type":"json"}`)
	write1(t, filepath.Join(dir, "pkg.tar.gz"), packageText(t, "packaged", "ccaas", nil))
	return dir
}

// secureConnection returns a connection.json for a server by TLS.
func secureConnection(t testing.TB, address string) string {
	t.Helper()
	auth, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := auth.Issue("a:1.0")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"address": address, "dial_timeout": "7s", "tls_required": true, "root_cert": string(c.RootCert)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// F162: a server by TLS that the peer starts, whose name isn't that of this machine.
func TestStartedServerWithHostName(t *testing.T) {
	dir := configFolder(t)
	s, err := readText(dir, "chaincodes: {a: {runtime: {server: {connection: secure.json, command: asset}}}}")
	if err != nil {
		t.Fatal(err)
	}
	c := s.node.chaincodes["a"]
	if _, err := (&home{cfg: s.node}).runtime("a", &c); err != nil || c.server.Address != "asset.invalid:9999" {
		t.Errorf("runtime for %s: %v", c.server.Address, err)
	}
}

// readText reads a configuration from a file ccpeer.yaml in dir.
func readText(dir, text string) (*settings, error) {
	s := &settings{}
	return s, parseYAML(value{file: "ccpeer.yaml", dir: dir}, []byte(text), s.read)
}

func TestConfig(t *testing.T) {
	dir := configFolder(t)
	for _, c := range []struct {
		name, text string
		want       func(s *settings, n *nodeConfig) (got, want any)
	}{
		{"settings", "listen: 'unix:c'\napi: a:1\nledger: memory\nlogLevel: warn\nadvertise: h\noutputLevel: error", func(s *settings, _ *nodeConfig) (any, any) {
			return []setting{s.listen, s.api, s.ledger, s.logLevel, s.advertise, s.outputLevel}, []setting{
				{"unix:c", "ccpeer.yaml:1: listen", dir}, {"a:1", "ccpeer.yaml:2: api", dir}, {"memory", "ccpeer.yaml:3: ledger", dir},
				{"warn", "ccpeer.yaml:4: logLevel", dir}, {"h", "ccpeer.yaml:5: advertise", dir}, {"error", "ccpeer.yaml:6: outputLevel", dir},
			}
		}},
		{"switches", "plaintext: true\ndev: True\nchannels: [a, b]", func(_ *settings, n *nodeConfig) (any, any) {
			return []any{n.plaintext, n.dev, n.channels}, []any{true, true, []string{"a", "b"}}
		}},
		{"limits", "limits: {executeTimeout: 500ms, startupTimeout: 2m, registerTimeout: 3s, stopTimeout: 4s, maxStreams: 5,\n" +
			"maxRecvMsgSize: 6, maxSendMsgSize: 7 KiB, totalQueryLimit: 8, maxQueries: 9, maxCallDepth: 10,\n" +
			"sendTimeout: 11s, maxInFlight: 12, maxBytes: 13, maxTransactionBytes: 19, maxEventBytes: 14KiB, maxPageBytes: 15,\n" +
			"maxStreamsPerConnection: 16, maxStreamsPerIdentity: 17, maxConnections: 18}",
			func(_ *settings, n *nodeConfig) (any, any) {
				return n.support, chaincodesupport.Config{
					Limits:                  handler.Limits{ExecuteTimeout: 500 * time.Millisecond, RegisterTimeout: 3 * time.Second, MaxSendMsgSize: 7 << 10, TotalQueryLimit: 8, MaxQueries: 9, MaxCallDepth: 10, SendTimeout: 11 * time.Second, MaxInFlight: 12, MaxBytes: 13, MaxTransactionBytes: 19, MaxEventBytes: 14 << 10, MaxPageBytes: 15},
					StartupTimeout:          2 * time.Minute,
					StopTimeout:             4 * time.Second,
					MaxStreams:              5,
					MaxRecvMsgSize:          6,
					MaxStreamsPerConnection: 16, MaxStreamsPerIdentity: 17, MaxConnections: 18,
				}
			}},
		{"sizes", "limits: {maxRecvMsgSize: 100MiB, maxSendMsgSize: 1GiB}", func(_ *settings, n *nodeConfig) (any, any) {
			return []int{n.support.MaxRecvMsgSize, n.support.MaxSendMsgSize}, []int{100 << 20, 1 << 30}
		}},
		{"process", "chaincodes: {a: {runtime: {process: {command: asset, args: [], env: {B: 1, A: ''}, dir: src}}}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []any{c.id, c.kind(), *c.process, c.restart}, []any{"a:1.0", byProcess,
				program{path: filepath.Join(dir, "asset"), args: []string{}, env: []string{"B=1", "A="}, dir: filepath.Join(dir, "src")}, chaincodesupport.RestartPolicy{}}
		}},
		{"as Go chaincode wants it", "chaincodes: {a: {runtime: {process: {command: " + dir + "/asset}}}}", func(_ *settings, n *nodeConfig) (any, any) {
			return *n.chaincodes["a"].process, program{path: filepath.Join(dir, "asset")}
		}},
		{"version", "chaincodes: {a: {version: 2.10, runtime: {server: {address: 'unix:s'}}, restart: never}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []any{c.id, c.kind(), c.server.Address, c.server.RetryFor, c.restart.OnFailure},
				[]any{"a:2.10", byServer, "unix://" + dir + "/s", 3 * time.Second, false}
		}},
		{"server that is started", "chaincodes: {a: {runtime: {server: {address: 'unix:s', command: asset, args: [x], env: {A: b}, dir: src}}}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []any{c.kind(), c.server.Address, c.server.RetryFor, *c.process},
				[]any{byServer, "unix://" + dir + "/s", time.Duration(0), program{path: filepath.Join(dir, "asset"), args: []string{"x"}, env: []string{"A=b"}, dir: filepath.Join(dir, "src")}}
		}},
		{"connection of one that is started", "chaincodes: {a: {runtime: {server: {connection: connection.json, command: asset}}}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []any{c.server.Address, c.server.RetryFor, *c.process}, []any{"127.0.0.1:9999", time.Duration(0), program{path: filepath.Join(dir, "asset")}}
		}},
		{"connection", "chaincodes: {a: {runtime: {server: {connection: connection.json}}, restart: on-failure}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []any{c.server.Address, c.server.DialTimeout, c.restart}, []any{"127.0.0.1:9999", 7 * time.Second, chaincodesupport.RestartPolicy{OnFailure: true}}
		}},
		{"restart", "chaincodes: {a: {runtime: {server: {address: localhost:1}}, restart: on-failure, pause: 2s, maxPause: 3s}}", func(_ *settings, n *nodeConfig) (any, any) {
			return n.chaincodes["a"].restart, chaincodesupport.RestartPolicy{OnFailure: true, Pause: 2 * time.Second, MaxPause: 3 * time.Second}
		}},
		{"package", "builds: b\nbuilders: [{name: x, path: bx, propagateEnvironment: [HOME]}, {name: y, path: /y}]\nchaincodes: {a: {runtime: {package: {file: pkg.tar.gz}}}}",
			func(_ *settings, n *nodeConfig) (any, any) {
				c := n.chaincodes["a"]
				id, _, _ := strings.Cut(c.id, ":")
				return []any{id, c.id == c.pkg.ID, c.kind(), n.builds, n.builders[0].Path, n.builders[0].PropagateEnvironment, n.builders[1].Name},
					[]any{"packaged", true, byPackage, dir + "/b", dir + "/bx", []string{"HOME"}, "y"}
			}},
		{"attach", "chaincodes: {a: {runtime: {attach: {dir: here}}}}", func(_ *settings, n *nodeConfig) (any, any) {
			c := n.chaincodes["a"]
			return []string{c.id, c.kind(), c.attach}, []string{"a:1.0", byAttach, dir + "/here"}
		}},
		{"definitions", "chaincodes: {a: {runtime: {server: {address: localhost:1}}, indexes: src, collectionsConfig: collections.json}}", func(_ *settings, n *nodeConfig) (any, any) {
			d := n.definitions["a"]
			return []int{len(n.definitions), len(d.Indexes), len(d.Collections)}, []int{1, 1, 2}
		}},
		{"JSON", "{\n\t\"dev\": true,\n\t\"limits\": {\"maxStreams\": 7},\n\t\"ledger\": \"pebble:\\u0064\"\n}", func(s *settings, n *nodeConfig) (any, any) {
			return []any{n.dev, n.support.MaxStreams, s.ledger.text}, []any{true, 7, "pebble:d"}
		}},
		{"an anchor", "chaincodes:\n  a: &x {runtime: {server: {address: localhost:1}}}\n  b: *x", func(_ *settings, n *nodeConfig) (any, any) {
			return []string{n.chaincodes["a"].id, n.chaincodes["b"].id}, []string{"a:1.0", "b:1.0"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := readText(dir, c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := c.want(s, &s.node); !reflect.DeepEqual(got, want) {
				t.Errorf("it is %+v, want %+v", got, want)
			}
		})
	}
}

func TestConfigRefuses(t *testing.T) {
	dir := configFolder(t)
	in := func(entry string) string { return "chaincodes:\n  a:\n    " + entry }
	runs := func(runtime string) string { return in("runtime: " + runtime) }
	for _, c := range []struct{ text, want string }{
		{"", "ccpeer.yaml: there is nothing in it"},
		{"# nothing", "ccpeer.yaml: there is nothing in it"},
		{"a: b: c", "ccpeer.yaml: this is not YAML: mapping values are not allowed"},
		{"dev: true\n---\ndev: true", "ccpeer.yaml: something follows the first document"},
		{"[dev]", "ccpeer.yaml:1: this is a list: want keys with values"},
		{"dev", `ccpeer.yaml:1: "dev": want keys with values`},
		{"dev: true\nlisten:\n  on: here", "ccpeer.yaml:3: listen: these are keys: want a text"},
		{"listen:", "ccpeer.yaml:1: listen: there is no value: want a text"},
		{"listen: ''", `ccpeer.yaml:1: listen: "": want a text`},
		{"\nlisen: x", `ccpeer.yaml:2: key "lisen" is not known: want one of advertise, api, builders, builds, chaincodes, channels, dev, gateway, gatewayLimits, gatewayTLS, ledger, limits, listen, logLevel, organizations, outputLevel, plaintext`},
		{"dev: true\ndev: false", `ccpeer.yaml:2: key "dev" is there twice`},
		{"[1]: 2", "ccpeer.yaml:1: a key is no text"},
		{"<<: {dev: true}", `key "<<" is not known`},
		{"dev: yes", `ccpeer.yaml:1: dev: "yes": want true or false`},
		{"dev: 'true'", `ccpeer.yaml:1: dev: "true": want true or false`},
		{"channels: mychannel", `ccpeer.yaml:1: channels: "mychannel": want a list`},
		{"channels: []", "ccpeer.yaml:1: channels: this is a list: want a list with one element or more"},
		{"channels: [a, [b]]", "ccpeer.yaml:1: channels.2: this is a list: want a text"},
		{"limits: {executeTimeout: 30}", `ccpeer.yaml:1: limits.executeTimeout: "30": want a time such as 500ms, 30s or 5m`},
		{"limits: {executeTimeout: 0s}", `limits.executeTimeout: "0s": want a time`},
		{"limits: {executeTimeout: -1s}", `limits.executeTimeout: "-1s": want a time`},
		{"limits: {executeTimeout: }", `limits.executeTimeout: there is no value: want a time`},
		{"limits: {maxStreams: 0}", `limits.maxStreams: "0": want a number, 1 or more`},
		{"limits: {maxStreams: 1MiB}", `limits.maxStreams: "1MiB": want a number, 1 or more`},
		{"limits: {maxRecvMsgSize: 1MB}", `limits.maxRecvMsgSize: "1MB": want a number of bytes, or one such as 64KiB, 100MiB or 1GiB`},
		{"limits: {maxRecvMsgSize: 9999999999GiB}", `limits.maxRecvMsgSize: "9999999999GiB": want a number of bytes`},
		{"limits: {maxRecvMsgSize: [1]}", `limits.maxRecvMsgSize: this is a list: want a number of bytes`},
		{"limits: {maxStream: 1}", `ccpeer.yaml:1: limits: key "maxStream" is not known: want one of executeTimeout, maxBytes, maxCallDepth, `},
		{"builders:\n- path: x", "ccpeer.yaml:2: builders.1: the builder has no name"},
		{"builders:\n- name: x", `ccpeer.yaml:2: builders.1: builder "x" has no path`},
		{"builders: {}", "builders: these are keys: want a list"},

		{"chaincodes:", "ccpeer.yaml:1: chaincodes: there is no value: want keys"},
		{"chaincodes: [a]", "ccpeer.yaml:1: chaincodes: this is a list: want keys"},
		{"chaincodes: {'a:1': {}}", `chaincodes.a:1: "a:1" is no name of a chaincode: want letters and digits, with single - and _ between them`},
		{"chaincodes: {a: {}}", "ccpeer.yaml:1: chaincodes.a: it has no runtime: want one, with one of process:"},
		{runs("process"), `ccpeer.yaml:3: chaincodes.a.runtime: "process": want one of process: {command: PATH}`},
		{runs("{}"), "chaincodes.a.runtime: these are keys: want one of process:"},
		{runs("{process: {command: asset}, server: {address: 'localhost:1'}}"), "chaincodes.a.runtime: these are keys: want one of process:"},
		{runs("{docker: {image: x}}"), `chaincodes.a.runtime: key "docker" is not known: want one of `},
		{runs("{process: {}}"), "chaincodes.a.runtime.process: it has no command: give the path of the program"},
		{runs("{process: {command: nowhere}}"), "chaincodes.a.runtime.process.command: stat " + dir + "/nowhere: no such file"},
		{runs("{process: {command: connection.json}}"), "connection.json is not a program"},
		{runs("{process: {command: asset, args: -x}}"), `chaincodes.a.runtime.process.args: "-x": want a list`},
		{runs("{process: {command: asset, env: [A=B]}}"), "chaincodes.a.runtime.process.env: this is a list: want keys"},
		{runs("{process: {command: asset, env: {A=B: C}}}"), "chaincodes.a.runtime.process.env.A=B: this is no variable: want NAME: text"},
		{runs("{process: {command: asset, env: {A: }}}"), "env.A: this is no variable"},
		{runs("{attach: {}}"), "chaincodes.a.runtime.attach: it has no dir: give a folder"},
		{runs("{attach: here}"), `chaincodes.a.runtime.attach: "here": want keys`},
		{runs("{server: {}}"), "chaincodes.a.runtime.server: want one of connection"},
		{runs("{server: {address: 'localhost:1', connection: connection.json}}"), "chaincodes.a.runtime.server: want one of connection"},
		{runs("{server: {command: asset}}"), "chaincodes.a.runtime.server: want one of connection"},
		{runs("{server: {address: 'localhost:1', args: []}}"), "chaincodes.a.runtime.server: args, env and dir are for a server that the peer starts"},
		{runs("{server: {address: 'localhost:1', command: nowhere}}"), "chaincodes.a.runtime.server.command: stat " + dir + "/nowhere: no such file"},
		{runs("{server: {address: 'peer:1'}}"), "chaincodes.a.runtime.server.address: address \"peer:1\" is not on this machine"},
		{runs("{server: {address: nonsense}}"), "address \"nonsense\" cannot be dialled: write host:port or unix:///path"},
		{runs("{server: {connection: nowhere}}"), "chaincodes.a.runtime.server.connection: open " + dir + "/nowhere: no such file"},
		{runs("{server: {connection: collections.json}}"), "connection: collections.json: decode connection.json"},
		{runs("{package: {file: connection.json}}"), "chaincodes.a.runtime.package.file: connection.json: parse chaincode package"},
		{runs("{package: {file: pkg.tar.gz}}"), `ccpeer.yaml:1: chaincode "a" is a package, and there are no builders for it: add builders`},
		{"builders: [{name: x, path: y}]\n" + runs("{package: {file: pkg.tar.gz}}"), "there is no folder to build it in: add builds"},
		{"chaincodes:\n  a: &p {runtime: {package: {file: pkg.tar.gz}}}\n  b: *p", `ccpeer.yaml:2: chaincodes.b: it is the same package as chaincode "a"`},
		{in("runtime: {package: {file: pkg.tar.gz}}\n    version: 1"), `version is "1", but the chaincode ID of a package is its package ID`},
		{in("runtime: {process: {command: asset}}\n    version: '1:0'"), `chaincodes.a: version is "1:0": want letters`},
		{in("runtime: {process: {command: asset}}\n    restart: always"), `ccpeer.yaml:4: chaincodes.a.restart: "always": want never or on-failure`},
		{in("runtime: {process: {command: asset}}\n    pause: 1s"), "pause and maxPause are for a chaincode with restart: on-failure"},
		{in("runtime: {process: {command: asset}}\n    restart: on-failure\n    pause: 2s\n    maxPause: 1s"), "pause is 2s, more than maxPause, which is 1s"},
		{in("indexes: connection.json"), "ccpeer.yaml:3: chaincodes.a.indexes: "},
		{in("indexes: nowhere"), "chaincodes.a.indexes: stat " + dir + "/nowhere"},
		{in("collectionsConfig: connection.json"), "chaincodes.a.collectionsConfig: connection.json: "},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := readText(dir, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %s", err)
			}
		})
	}
}

func TestConfigLedgerFolder(t *testing.T) {
	dir := configFolder(t)
	s, err := readText(dir, "ledger: pebble:data")
	if err != nil {
		t.Fatal(err)
	}
	p, err := parseLedger(s.ledger, "peer")
	if err != nil || p.String() != "pebble:"+dir+"/data" {
		t.Errorf("the ledger is %s (%v), want one that is relative to the file", p, err)
	}
}

// FuzzConfig reads whatever may be in a file.
func FuzzConfig(f *testing.F) {
	text, err := os.ReadFile("ccpeer.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("a: &a [*a]\nb: *a")
	f.Add("limits: {maxRecvMsgSize: 9999999999GiB}\nchaincodes: {a: {runtime: {process: {}}}}")
	f.Add("? [a]\n: b")
	f.Add("!!binary aGk=: x")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readText(dir, text)
		if err != nil && !strings.HasPrefix(err.Error(), "ccpeer.yaml:") {
			t.Errorf("the error doesn't say where: %v", err)
		}
		for name, c := range s.node.chaincodes {
			if err == nil && (c.id == "" || c.process == nil && c.server == nil && c.pkg == nil && c.attach == "") {
				t.Errorf("chaincode %q is %+v", name, c)
			}
		}
	})
}
