package identity_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
)

func TestReadAttributes(t *testing.T) {
	msp := newMSP(t, "Org1MSP")
	for _, want := range []map[string]string{nil, {"role": "buyer", "level": "2"}} {
		id := issue(t, msp, identity.Config{CommonName: "alice", Attributes: want})
		if got, err := identity.Attributes(id.Certificate()); err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	odd := &x509.Certificate{Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, Value: []byte("{")}}}
	if _, err := identity.Attributes(odd); err == nil {
		t.Error("what is no JSON is read")
	}
}
