// Package cid tells chaincode who its client is: the identity that signed the transaction's proposal. Its names and results
// are those of the package cid of Fabric's Go shim.
//
//	id, err := cid.New(stub)
//	if err != nil {
//		return shim.Error(err.Error())
//	}
//	if err := id.AssertAttributeValue("role", "auditor"); err != nil {
//		return shim.Error(err.Error())
//	}
//
// The functions do the same for a single question. They parse the identity each time. If you ask more than once, use [New].
//
// Only X.509 identities are known. For others, such as Idemix, [New] returns [ErrNotX509].
package cid

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrNotX509 is returned by New for an identity that is not a PEM certificate. You can still read the MSP's ID from the
// creator itself, a marshalled SerializedIdentity.
var ErrNotX509 = errors.New("identity is not an X.509 certificate in PEM (Idemix is not supported)")

// ChaincodeStubInterface is what the identity is read from. Every stub implements it.
type ChaincodeStubInterface interface {
	// GetCreator returns the marshalled SerializedIdentity of the client that submitted the transaction, or nil if there is
	// none.
	GetCreator() ([]byte, error)
}

// ClientIdentity is a client's identity, as chaincode may want to receive it. *ClientID implements it.
type ClientIdentity interface {
	// GetID returns a name that is unique within the MSP and survives a renewed certificate.
	GetID() (string, error)
	// GetMSPID returns the ID of the client's MSP.
	GetMSPID() (string, error)
	// GetAttributeValue returns the value of one of the client's attributes, and whether it has that attribute.
	GetAttributeValue(attrName string) (value string, found bool, err error)
	// AssertAttributeValue returns an error unless the client has the attribute with this value.
	AssertAttributeValue(attrName, attrValue string) error
	// GetX509Certificate returns the client's certificate.
	GetX509Certificate() (*x509.Certificate, error)
}

var _ ClientIdentity = (*ClientID)(nil)

// ClientID is the identity of one transaction's client. New makes it, and reports everything that can go wrong. So of the
// methods only AssertAttributeValue returns errors. They are safe for concurrent use.
type ClientID struct {
	mspID string
	cert  *x509.Certificate
	attrs map[string]string
}

// New reads the identity of the client that submitted the stub's transaction. It does not check the certificate against its
// MSP, because the peer has done so.
func New(stub ChaincodeStubInterface) (*ClientID, error) {
	creator, err := stub.GetCreator()
	if err != nil {
		return nil, errors.Wrap(err, "failed to get transaction invoker's identity from the chaincode stub")
	}
	if len(creator) == 0 {
		return nil, errors.New("failed to get transaction invoker's identity from the chaincode stub: the transaction has no creator")
	}
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.Wrap(err, "failed to unmarshal transaction invoker's identity")
	}
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return nil, errors.WithMessagef(ErrNotX509, "read identity of MSP %q", id.GetMspid())
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.Wrap(err, "failed to parse certificate")
	}
	attrs, err := attributes(cert)
	if err != nil {
		return nil, errors.Wrap(err, "failed to get attributes from the transaction invoker's certificate")
	}
	return &ClientID{mspID: id.GetMspid(), cert: cert, attrs: attrs}, nil
}

// GetID returns base64 of "x509::", the subject's distinguished name, "::" and the issuer's. The names have the order and
// the escapes of RFC 2253. The ID is unique within the MSP, and stays the same when the certificate is renewed.
func (c *ClientID) GetID() (string, error) {
	// Name.String would also show attribute types that have no field of their own. The official ID doesn't have these.
	subject, issuer := c.cert.Subject.ToRDNSequence(), c.cert.Issuer.ToRDNSequence()
	return base64.StdEncoding.EncodeToString([]byte("x509::" + subject.String() + "::" + issuer.String())), nil
}

// GetMSPID returns the ID of the client's MSP.
func (c *ClientID) GetMSPID() (string, error) { return c.mspID, nil }

// GetAttributeValue returns the value of one of the client's attributes, and whether the client has that attribute.
// Attributes are what Fabric's CA has written into the certificate.
func (c *ClientID) GetAttributeValue(attrName string) (value string, found bool, err error) {
	value, found = c.attrs[attrName]
	return value, found, nil
}

// AssertAttributeValue returns an error unless the client has the attribute with this value.
func (c *ClientID) AssertAttributeValue(attrName, attrValue string) error {
	value, found := c.attrs[attrName]
	switch {
	case !found:
		return errors.Errorf("attribute '%s' was not found", attrName)
	case value != attrValue:
		return errors.Errorf("attribute '%s' equals '%s', not '%s'", attrName, value, attrValue)
	}
	return nil
}

// HasOUValue reports whether the certificate's subject has this organizational unit. Fabric tells roles by these: "client",
// "peer", "admin", "orderer".
func (c *ClientID) HasOUValue(ou string) (bool, error) {
	return slices.Contains(c.cert.Subject.OrganizationalUnit, ou), nil
}

// GetX509Certificate returns the client's certificate. It must not be modified.
func (c *ClientID) GetX509Certificate() (*x509.Certificate, error) { return c.cert, nil }

// attributes returns what Fabric's CA has written into a certificate. It is JSON in an extension:
// {"attrs":{"name":"value"}}.
func attributes(cert *x509.Certificate) (map[string]string, error) {
	oid := asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}
	for _, extension := range cert.Extensions {
		if !extension.Id.Equal(oid) {
			continue
		}
		var held struct {
			Attrs map[string]string `json:"attrs"`
		}
		if err := json.Unmarshal(extension.Value, &held); err != nil {
			return nil, errors.Wrap(err, "failed to unmarshal attributes from certificate")
		}
		return held.Attrs, nil
	}
	return nil, nil
}
