package runtime

// Issuer mints what chaincode that dials its peer proves with who it is. accesscontrol.Authenticator is one.
type Issuer interface {
	// Issue returns a new Credential for one launch of a chaincode. Whoever asks for it revokes it.
	Issue(chaincodeID string) (*Credential, error)
}

// Credential is what one launch of a chaincode needs for mutual TLS with its peer. Its slices, all PEM, are the
// receiver's.
type Credential struct {
	// Key is the chaincode's private key (PKCS #8), and Cert the certificate that is made for it.
	Key, Cert []byte
	// RootCert is the certificate of the CA that the peer's own is checked against.
	RootCert []byte
	// Revoke makes the credential worthless, and closes the connections that were made with it. It is called when
	// nothing of the launch is left. Calling it again does nothing.
	Revoke func()
}
