package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/doctable"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// env asks a peer what an application needs.
func (s *served) env(t *testing.T, args ...string) *envJSON {
	t.Helper()
	r := ccpeer(t, append([]string{"env", "--json", "--api", s.api}, args...)...)
	r.check(t, exitOK, "")
	e := new(envJSON)
	if err := json.Unmarshal([]byte(r.stdout), e); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return e
}

// propose has an application call the chaincode probe. All that it knows is what ccpeer env has told it.
func (e *envJSON) propose(t *testing.T) (*pb.ProposalResponse, error) {
	t.Helper()
	_, who, err := mspfolder.Read(e.MSPFolder, e.MSPID)
	if err != nil {
		t.Fatal(err)
	}
	creds := insecure.NewCredentials()
	if e.TLSRoot != "" {
		root, err := os.ReadFile(e.TLSRoot)
		if err != nil {
			t.Fatal(err)
		}
		c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: e.Variables["PEER_HOST_ALIAS"]}
		c.RootCAs.AppendCertsFromPEM(root)
		if e.TLSCertificate != "" {
			own, err := tls.LoadX509KeyPair(e.TLSCertificate, e.TLSKey)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{own}
		}
		creds = credentials.NewTLS(c)
	}
	conn, err := grpc.NewClient(e.Address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: e.Channel, Chaincode: "probe", Args: [][]byte{[]byte("creator")}, Signer: who})
	if err != nil {
		t.Fatal(err)
	}
	return pbgrpc.Call[pb.ProposalResponse](t.Context(), conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, p.Signed)
}

// An application finds what it needs by ccpeer env, and is who the files say. After a restart it is the same, with the same files.
func TestServeApplications(t *testing.T) {
	t.Parallel()
	data, at := t.TempDir(), "127.0.0.1:0"
	var before *envJSON
	for range 2 {
		s := servePeerWithData(t, data, append(anyPort, "--gateway", at)...)
		line, err := s.lines.ReadString('\n')
		e := s.env(t)
		if want := "applications of Org1MSP connect to " + e.Address + " by TLS\n"; err != nil || line != want {
			t.Errorf("the peer says %q (%v), want %q", line, err, want)
		}
		r, err := e.propose(t)
		if err != nil || !strings.Contains(string(r.GetResponse().GetPayload()), "CN=User1") {
			t.Errorf("got %v, %v", r, err)
		}
		if _, err := os.Stat(e.Profile); err != nil {
			t.Error(err)
		}
		if before != nil && (e.Address != before.Address || e.Certificate != before.Certificate || e.TLSRoot != before.TLSRoot) {
			t.Errorf("it was %+v, and is %+v", before, e)
		}
		before, at = e, e.Address
		ccpeer(t, "serve", "--dev", "--ledger", "memory", "--listen", "127.0.0.1:0", "--gateway", at).check(t, exitFailed, "for applications, at peer0.Org1MSP: listen on "+at+": address already in use")
		s.stop(t)
	}
}

// Applications connect as --gateway-tls says. Whoever is somebody else gets other files.
func TestServeApplicationsTLS(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{"mutual": "by mutual TLS", "off": "in plaintext"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := servePeer(t, append(anyPort, "--gateway-tls", how)...)
			if line, err := s.lines.ReadString('\n'); err != nil || !strings.HasSuffix(line, want+"\n") {
				t.Errorf("the peer says %q, %v", line, err)
			}
			e := s.env(t, "--as", "alice")
			r, err := e.propose(t)
			if err != nil || !strings.Contains(string(r.GetResponse().GetPayload()), "CN=alice") {
				t.Errorf("got %v, %v", r, err)
			}
			if how == "mutual" {
				e.TLSCertificate = ""
				if _, err := e.propose(t); status.Code(err) != codes.Unavailable {
					t.Errorf("without a certificate: %v", err)
				}
			}
			s.stop(t)
		})
	}
}

// With a ledger in memory, the files last as long as the peer. Without a gateway there are none.
func TestServeApplicationsInMemory(t *testing.T) {
	t.Parallel()
	s := servePeer(t, append(anyPort, "--ledger", "memory")...)
	e := s.env(t)
	if _, err := os.Stat(e.Key); err != nil {
		t.Error(err)
	}
	s.stop(t)
	if _, err := os.Stat(filepath.Dir(filepath.Dir(e.Organization))); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	s = servePeer(t, append(anyPort, "--ledger", "memory", "--gateway", "none")...)
	ccpeer(t, "env", "--api", s.api).check(t, exitFailed, "this peer serves no applications: start it with --gateway HOST:PORT")
	s.stop(t)
}

// The variables are fit for a shell.
func TestEnv(t *testing.T) {
	t.Parallel()
	s := servePeer(t, anyPort...)
	for _, c := range []struct {
		args   string // separated by |
		status int
		want   string
	}{
		{"", exitOK, "export CORE_PEER_LOCALMSPID='Org1MSP'\n"},
		{"", exitOK, "export MSP_ID='Org1MSP'\n"},
		{"--json|--wallet|w", exitUsage, "give either --json or --wallet"},
		{"--as|Admin|-C|other", exitOK, "export CHANNEL_NAME='other'\n"},
		{"-C|nowhere", exitFailed, `channel "nowhere" is not known to this peer, which has: mychannel, other`},
		{"--as|alice@Org7MSP", exitFailed, `organization "Org7MSP" is not known to this peer`},
		{"--as|@Org1MSP", exitFailed, `"" is no name of a client`},
	} {
		args := []string{"env", "--api", s.api}
		if c.args != "" {
			args = append(args, strings.Split(c.args, "|")...)
		}
		ccpeer(t, args...).check(t, c.status, c.want)
	}
	s.stop(t)
}

func TestParseGateway(t *testing.T) {
	for _, c := range []struct{ listen, tls, want string }{
		{"127.0.0.1:7051", "on", ""},
		{"192.0.2.1:7051", "mutual", ""},
		{"none", "off", ""},
		{"127.0.0.1:7051", "yes", `--gateway-tls: "yes": want on, mutual or off`},
		{"192.0.2.1:7051", "off", `--gateway: address "192.0.2.1:7051" can be reached from the network`},
		{"unix:///s", "on", `--gateway: "unix:///s": Fabric's clients dial host:port`},
		{"nonsense", "on", "--gateway: parse address"},
	} {
		_, err := parseGateway(flagSetting("gateway", c.listen), flagSetting("gateway-tls", c.tls))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %s", c.listen, c.tls, err, c.want)
		}
	}
}

// The ports are those of Fabric's samples.
func TestGatewayPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at, err := parseAddress(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := nodeConfig{gateway: gateway{listen: at, tls: tlsOn}}
	if _, err := cfg.listenGateways(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

// With several organizations, each has its peers with chaincode and ledgers of their own, and applications with files of their own.
func TestServeOrganizations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := append(anyPort, "--ledger", "pebble:"+dir, "--organization", "Org1MSP", "--organization", "Org2MSP:2")
	for restart := range 2 {
		s := servePeer(t, args...)
		for _, msp := range []string{"Org1MSP", "Org2MSP", "Org2MSP"} {
			if line, err := s.lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "applications of "+msp+" connect to 127.0.0.1:") {
				t.Errorf("the peer says %q, %v", line, err)
			}
		}
		for i, as := range []string{"alice@Org1MSP", "alice@Org2MSP"} {
			e := s.env(t, "--as", as)
			r, err := e.propose(t)
			if err != nil || !strings.HasPrefix(string(r.GetResponse().GetPayload()), []string{"Org1MSP", "Org2MSP"}[i]) {
				t.Errorf("%s: %v, %v", as, r, err)
			}
		}
		put := []string{"invoke", "-n", "probe", "-c", `{"Args":["put","k","v` + strconv.Itoa(restart) + `"]}`, "--as", "alice@Org2MSP", "--api", s.api}
		ccpeer(t, put...).check(t, exitOK, "VALID") // which needs a majority, so both
		list := ccpeer(t, "chaincode", "list", "--api", s.api)
		list.check(t, exitOK, "PEER           NAME   ID         STATE")
		for _, peer := range []string{"peer0.Org1MSP", "peer0.Org2MSP", "peer1.Org2MSP"} {
			if !strings.Contains(list.stdout, peer+"  probe  probe:1.0  ") {
				t.Errorf("%s has no chaincode: %s", peer, list.stdout)
			}
		}
		s.stop(t)
	}
}

func TestParseOrganizations(t *testing.T) {
	for text, want := range map[string]string{
		"Org1MSP": "", "Org1MSP Org2MSP:16": "",
		"": `"": want MSPID or MSPID:PEERS`, "a/b": "want MSPID", "Org1MSP:0": "1 to 16 peers", "Org1MSP:17": "1 to 16 peers", "Org1MSP:x": "1 to 16 peers",
		"Org1MSP Org1MSP": "two of that name",
	} {
		_, err := parseOrganizations(strings.Split(text, " "))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What belongs to one peer can't be had with several.
func TestSeveralPeersRefuse(t *testing.T) {
	dir := configFolder(t)
	file := filepath.Join(dir, "ccpeer.yaml")
	for text, want := range map[string]string{
		"chaincodes: {a: {runtime: {attach: {dir: x}}}}":                                 `chaincode "a" is started by hand`,
		"chaincodes: {a: {runtime: {server: {address: '127.0.0.1:1', command: asset}}}}": `chaincode "a" is a server that the peer starts`,
		"dev: true": "chaincode that connects by itself in dev mode belongs to one peer",
		"chaincodes: {a: {runtime: {process: {command: asset}}}}\norganizations: [Org1MSP, a b]": `ccpeer.yaml:2: organizations: "a b": want MSPID`,
	} {
		write1(t, file, text)
		args := []string{"--config", file}
		if !strings.Contains(text, "organizations") {
			args = append(args, "--organization", "Org1MSP:2")
		}
		if _, err := loadArgs(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// An identity is written as fabric-network keeps it.
func TestEnvWallet(t *testing.T) {
	t.Parallel()
	s := servePeer(t, anyPort...)
	wallet := filepath.Join(t.TempDir(), "new", "wallet")
	ccpeer(t, "env", "--api", s.api, "--as", "alice", "--wallet", wallet).check(t, exitOK, "export MSP_ID=")
	e := s.env(t, "--as", "alice")
	certificate, err := os.ReadFile(e.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "X.509", "version": 1.0, "mspId": "Org1MSP",
		"credentials": map[string]any{"certificate": string(certificate), "privateKey": string(key)},
	}
	text, err := os.ReadFile(filepath.Join(wallet, "alice.id"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the wallet has %s (%v)", text, err)
	}
	ccpeer(t, "env", "--api", s.api, "--as", "a/b", "--wallet", wallet).check(t, exitFailed, `"a/b" can't be in a wallet`)
	s.stop(t)
}

// The page for applications has every variable, and no other.
func TestVariablesAreDocumented(t *testing.T) {
	e := envJSON{MSPID: "Org1MSP", Channel: "mychannel", Address: "127.0.0.1:7051", TLS: "mutual", TLSRoot: "/ca", TLSCertificate: "/c", TLSKey: "/k",
		MSPFolder: "/m", Certificate: "/m/c", Key: "/m/k", Organization: "/o", Profile: "/p"}
	want := slices.Sorted(maps.Keys(e.variables()))
	var got []string
	for _, cell := range doctable.Column(doctable.Read(t, "../../docs/applications.md", "Start"), 0) {
		for name := range strings.SplitSeq(cell, ", ") {
			got = append(got, strings.Trim(name, "`"))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the page has %v, want %v", got, want)
	}
}

// What a flag says of applications and organizations goes before what the file says.
func TestGatewaySettings(t *testing.T) {
	dir := configFolder(t)
	file := filepath.Join(dir, "ccpeer.yaml")
	const mine = "chaincodes: {a: {runtime: {process: {command: asset}}}}\n"
	for _, c := range []struct{ text, flags, want string }{
		{"", "", "127.0.0.1:7051 on [{Org1MSP 1}]"},
		{"gateway: 127.0.0.1:1\ngatewayTLS: off\norganizations: [a, 'b:2']", "", "127.0.0.1:1 off [{a 1} {b 2}]"},
		{"gateway: 127.0.0.1:1\ngatewayTLS: off\norganizations: [a, b]", "--gateway 127.0.0.1:2 --gateway-tls mutual --organization c", "127.0.0.1:2 mutual [{c 1}]"},
		{"gateway: none", "", " on [{Org1MSP 1}]"},
		{"gatewayLimits: {gatewayConcurrency: 1}", "", "127.0.0.1:7051 on [{Org1MSP 1}]"},
		{"gateway: 0.0.0.0:7051\nadvertise: peer0", "", "0.0.0.0:7051 on [{Org1MSP 1}]"},
		{"gateway: 0.0.0.0:7051", "", file + `:2: gateway: address "0.0.0.0:7051" is every one`},
		{"gatewayTLS: maybe", "", file + `:2: gatewayTLS: "maybe": want on, mutual or off`},
		{"organizations: []", "", file + ":2: organizations: this is a list: want a list with one element or more"},
	} {
		write1(t, file, mine+c.text)
		s, err := loadArgs(append(strings.Fields(c.flags), "--config", file)...)
		got := fmt.Sprint(err)
		if err == nil {
			if s.node.gatewayLimits.GatewayConcurrency != strings.Count(c.text, "gatewayLimits: {gatewayConcurrency: 1}") {
				t.Errorf("%s: the limits are %+v", c.text, s.node.gatewayLimits)
			}
			got = fmt.Sprintf("%s %s %v", s.node.gateway.listen, s.node.gateway.tls, s.node.members())
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: it is %s, want %s", c.text, c.flags, got, c.want)
		}
	}
}

// Several peers run one package, and are clients of one server.
func TestServeOrganizationsWithPackage(t *testing.T) {
	t.Parallel()
	dir := socketFolder(t)
	writeBuilder(t, filepath.Join(dir, "builder"))
	write1(t, filepath.Join(dir, "pkg.tar.gz"), packageText(t, "shared", "probe", nil))
	write1(t, filepath.Join(dir, "ccpeer.yaml"), `
organizations: [Org1MSP, "Org2MSP:2"]
ledger: memory
builders: [{name: test, path: builder}]
builds: builds
chaincodes:
  packaged: {runtime: {package: {file: pkg.tar.gz}}}
  served: {runtime: {server: {address: "unix:served"}}}
`)
	startServer(t, "unix://"+dir+"/served")
	s := startServing(t, t.TempDir(), append(anyPort, "--config", filepath.Join(dir, "ccpeer.yaml"))...)
	for _, name := range []string{"packaged", "served"} {
		for _, as := range []string{"alice@Org1MSP", "bob@Org2MSP"} {
			ccpeer(t, "invoke", "-n", name, "-c", `{"Args":["put","`+as+`","v"]}`, "--as", as, "--api", s.api).check(t, exitOK, "VALID")
		}
	}
	s.stop(t)
}

// A shell that had another peer forgets what this one doesn't have.
func TestPrintEnv(t *testing.T) {
	always := envJSON{MSPID: "Org1MSP", Channel: "c", Address: "a", TLS: "off", MSPFolder: "/m", Certificate: "/m/c/f", Key: "/m/k/f", Organization: "/o", Profile: "/it's"}
	mutual := always
	mutual.TLS, mutual.TLSRoot, mutual.TLSCertificate, mutual.TLSKey = "mutual", "/ca", "/c", "/k"
	always.Variables, mutual.Variables = always.variables(), mutual.variables()
	for name := range mutual.Variables {
		if _, ok := always.Variables[name]; !ok && !slices.Contains(sometimesSet, name) {
			t.Errorf("%s is not always set", name)
		}
	}
	var b strings.Builder
	always.print(&b, false)
	for _, want := range []string{"unset TLS_CERT_PATH\n", "unset CORE_PEER_TLS_CLIENTAUTHREQUIRED\n", "export CONNECTION_PROFILE='/it'\\''s'\n", "export CORE_PEER_TLS_ENABLED='false'\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, &b)
		}
	}
	b.Reset()
	mutual.print(&b, false)
	if strings.Contains(b.String(), "unset") {
		t.Errorf("got %s", &b)
	}
}
