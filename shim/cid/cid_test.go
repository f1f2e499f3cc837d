package cid_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ cid.ChaincodeStubInterface = shim.ChaincodeStubInterface(nil)

// stub is a transaction that this creator has submitted.
type stub struct {
	creator []byte
	err     error
}

func (s stub) GetCreator() ([]byte, error) { return s.creator, s.err }

// identity marshals an identity of the MSP Org1MSP.
func identity(t testing.TB, idBytes []byte) []byte {
	t.Helper()
	b, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP", IdBytes: idBytes})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// certificate returns a PEM certificate of subject, issued by issuer. attrs is its attribute extension; "" means none.
func certificate(t testing.TB, subject, issuer pkix.Name, attrs string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Unix(1<<32, 0)}
	if attrs != "" {
		template.ExtraExtensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: []byte("other")},
			{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, Value: []byte(attrs)},
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: issuer}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

var (
	user = pkix.Name{CommonName: "user1", OrganizationalUnit: []string{"client", "org1"}}
	ca   = pkix.Name{CommonName: "ca.org1", Organization: []string{"org1"}, Country: []string{"US"}}
)

// The ID names subject and issuer as Fabric's own shim does, byte for byte: clients compare and store it.
func TestGetID(t *testing.T) {
	for _, test := range []struct {
		name            string
		subject, issuer pkix.Name
		want            string
	}{
		{"plain", user, ca, "x509::CN=user1,OU=org1+OU=client::CN=ca.org1,O=org1,C=US"},
		{"every field", pkix.Name{
			Country: []string{"US"}, Organization: []string{"o"}, OrganizationalUnit: []string{"ou"}, Locality: []string{"l"},
			Province: []string{"st"}, StreetAddress: []string{"street"}, PostalCode: []string{"1"}, SerialNumber: "2", CommonName: "cn",
		}, ca, "x509::SERIALNUMBER=2,CN=cn,OU=ou,O=o,POSTALCODE=1,STREET=street,L=l,ST=st,C=US::CN=ca.org1,O=org1,C=US"},
		{"escapes", pkix.Name{CommonName: `# a,b+c"d\e<f>g;h `, Organization: []string{" #"}}, ca,
			`x509::CN=\# a\,b\+c\"d\\e\<f\>g\;h\ ,O=\ #::CN=ca.org1,O=org1,C=US`},
		{"not ASCII", pkix.Name{CommonName: "Zoë 日本"}, ca, "x509::CN=Zoë 日本::CN=ca.org1,O=org1,C=US"},
		{"attribute type without a field", pkix.Name{CommonName: "user1", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "example"},
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "user1"},
		}}, ca, "x509::CN=user1::CN=ca.org1,O=org1,C=US"},
		{"empty names", pkix.Name{}, pkix.Name{}, "x509::::"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stub{creator: identity(t, certificate(t, test.subject, test.issuer, ""))}
			id, err := cid.GetID(s)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := base64.StdEncoding.DecodeString(id); string(got) != test.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	certPEM := certificate(t, user, ca, `{"attrs":{"role":"auditor","empty":""}}`)
	s := stub{creator: identity(t, certPEM)}
	if mspID, err := cid.GetMSPID(s); mspID != "Org1MSP" || err != nil {
		t.Errorf("GetMSPID: %q, %v", mspID, err)
	}
	cert, err := cid.GetX509Certificate(s)
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(certPEM); !slices.Equal(cert.Raw, block.Bytes) {
		t.Error("GetX509Certificate returns another certificate")
	}
	for ou, want := range map[string]bool{"client": true, "org1": true, "Client": false, "": false, "admin": false} {
		if got, err := cid.HasOUValue(s, ou); got != want || err != nil {
			t.Errorf("HasOUValue(%q): %t, %v", ou, got, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, test := range []struct {
		extension, name, value string
		found                  bool
		assert                 string // what AssertAttributeValue(name, "auditor") returns
	}{
		{`{"attrs":{"role":"auditor"}}`, "role", "auditor", true, ""},
		{`{"attrs":{"role":"clerk"}}`, "role", "clerk", true, "attribute 'role' equals 'clerk', not 'auditor'"},
		{`{"attrs":{"role":""}}`, "role", "", true, "attribute 'role' equals '', not 'auditor'"},
		{`{"attrs":{"role":"auditor"}}`, "Role", "", false, "attribute 'Role' was not found"},
		{`{"attrs":{}}`, "role", "", false, "attribute 'role' was not found"},
		{`{}`, "role", "", false, "attribute 'role' was not found"},
		{`null`, "role", "", false, "attribute 'role' was not found"},
		{"", "role", "", false, "attribute 'role' was not found"},
	} {
		s := stub{creator: identity(t, certificate(t, user, ca, test.extension))}
		if value, found, err := cid.GetAttributeValue(s, test.name); value != test.value || found != test.found || err != nil {
			t.Errorf("%s: got %q, %t, %v", test.extension, value, found, err)
		}
		err := cid.AssertAttributeValue(s, test.name, "auditor")
		if got := errorText(err); got != test.assert {
			t.Errorf("%s: AssertAttributeValue: got %q, want %q", test.extension, got, test.assert)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Every function refuses a creator that is not an X.509 identity, and says what it is instead.
func TestBadCreators(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		stub stub
		want string
		is   error
	}{
		{"stub's error", stub{err: broken}, "failed to get transaction invoker's identity from the chaincode stub: broken", broken},
		{"no creator", stub{}, "failed to get transaction invoker's identity from the chaincode stub: the transaction has no creator", nil},
		{"garbage", stub{creator: []byte("foo")}, "failed to unmarshal transaction invoker's identity: ", nil},
		{"no certificate", stub{creator: identity(t, nil)}, `read identity of MSP "Org1MSP": `, cid.ErrNotX509},
		// As an Idemix identity begins: two numbers of 32 bytes, an organizational unit.
		{"idemix", stub{creator: identity(t, []byte("\x0a\x20"+strings.Repeat("x", 32)+"\x12\x20"+strings.Repeat("y", 32)+"\x1a\x02\x0a\x00"))},
			`read identity of MSP "Org1MSP": `, cid.ErrNotX509},
		{"DER", stub{creator: identity(t, der(certificate(t, user, ca, "")))}, `read identity of MSP "Org1MSP": `, cid.ErrNotX509},
		{"PEM of something else", stub{creator: identity(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))},
			"failed to parse certificate: ", nil},
		{"attributes are not JSON", stub{creator: identity(t, certificate(t, user, ca, "x"))},
			"failed to get attributes from the transaction invoker's certificate: failed to unmarshal attributes from certificate: ", nil},
		{"attribute is not a string", stub{creator: identity(t, certificate(t, user, ca, `{"attrs":{"n":1}}`))},
			"failed to get attributes from the transaction invoker's certificate: failed to unmarshal attributes from certificate: ", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			errs := make(map[string]error)
			_, errs["New"] = cid.New(test.stub)
			_, errs["GetID"] = cid.GetID(test.stub)
			_, errs["GetMSPID"] = cid.GetMSPID(test.stub)
			_, _, errs["GetAttributeValue"] = cid.GetAttributeValue(test.stub, "a")
			errs["AssertAttributeValue"] = cid.AssertAttributeValue(test.stub, "a", "")
			_, errs["HasOUValue"] = cid.HasOUValue(test.stub, "ou")
			_, errs["GetX509Certificate"] = cid.GetX509Certificate(test.stub)
			for function, err := range errs {
				if !strings.HasPrefix(errorText(err), test.want) || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%s: got %v, want %q", function, err, test.want)
				}
			}
		})
	}
}

// der returns what a PEM block holds.
func der(certPEM []byte) []byte {
	block, _ := pem.Decode(certPEM)
	return block.Bytes
}

// FuzzNew reads whatever a creator could be. What New accepts has an MSP's ID, a certificate and an ID made from it.
func FuzzNew(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("foo"))
	f.Add(identity(f, []byte("not PEM")))
	f.Add(identity(f, certificate(f, user, ca, `{"attrs":{"role":"auditor"}}`)))
	f.Add(identity(f, certificate(f, user, ca, `{"attrs":[]}`)))
	f.Fuzz(func(t *testing.T, creator []byte) {
		id, err := cid.New(stub{creator: creator})
		if err != nil {
			return
		}
		var want pb.SerializedIdentity
		if err := proto.Unmarshal(creator, &want); err != nil {
			t.Fatalf("accepted a creator that can't be unmarshalled: %v", err)
		}
		if got, err := id.GetMSPID(); got != want.GetMspid() || err != nil {
			t.Errorf("GetMSPID: %q, %v", got, err)
		}
		cert, err := id.GetX509Certificate()
		if err != nil || !slices.Equal(cert.Raw, der(want.GetIdBytes())) {
			t.Errorf("GetX509Certificate: %v", err)
		}
		encoded, err := id.GetID()
		if text, decodeErr := base64.StdEncoding.DecodeString(encoded); err != nil || decodeErr != nil || !strings.HasPrefix(string(text), "x509::") {
			t.Errorf("GetID: %q, %v, %v", text, err, decodeErr)
		}
	})
}
