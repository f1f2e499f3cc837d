package runtime

// Issuer makes the certificates with which chaincode that dials its peer proves who it is. accesscontrol.Authenticator is
// one.
type Issuer interface {
	// Issue returns a new Credential for one launch of a chaincode. The caller has to revoke it.
	Issue(chaincodeID string) (*Credential, error)
}

// Credential is what one launch of a chaincode needs for mutual TLS with its peer. Its slices, all PEM, belong to the
// receiver.
type Credential struct {
	// Key is the chaincode's private key (PKCS #8). Cert is the certificate for it.
	Key, Cert []byte
	// RootCert is the certificate of the CA that has signed the peer's own certificate.
	RootCert []byte
	// Revoke makes the credential worthless, and closes the connections that were made with it. Call it when nothing of the
	// launch is left. Calling it again does nothing.
	Revoke func()
}
