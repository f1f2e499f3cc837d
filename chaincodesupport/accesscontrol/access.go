package accesscontrol

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/internal/loglimit"
)

var (
	// ErrNoTLS is returned by Identify for a stream that doesn't use TLS.
	ErrNoTLS = errors.New("chaincode has not connected by TLS")
	// ErrNoCertificate is returned by Identify for a stream whose client has shown no certificate. A listener with
	// ServerCredentials has no such stream, because it refuses the connection. The error has Fabric's text, but without the
	// chaincode's name, which is not known yet.
	ErrNoCertificate = errors.New("TLS is active but chaincode didn't send certificate")
)

// UnknownCertificateError is returned by Identify for a certificate that was not issued here, or that has been revoked.
type UnknownCertificateError struct {
	// Hash is the certificate's SHA-256.
	Hash [32]byte
}

// Error has Fabric's text (core/chaincode/accesscontrol), without the chaincode's name, which is not known yet.
func (e *UnknownCertificateError) Error() string {
	return errors.Errorf("chaincode with given certificate hash %x not found in registry", e.Hash).Error()
}

// Config says what an Authenticator is for.
type Config struct {
	// Hosts are the names and IP addresses under which chaincode finds the peer. Chaincode that dials a Unix socket knows
	// the peer as "localhost". Nil: localhost, 127.0.0.1 and ::1.
	Hosts []string
	// Logger gets a line for each connection or stream that is refused, under the name "chaincode.accesscontrol": ten at once,
	// and then one a second, which says how many were left out. Nil: nothing is logged.
	Logger *zap.Logger
}

// Authenticator is a peer's CA for chaincode. It knows which chaincode has which certificate. It is safe for concurrent use.
type Authenticator struct {
	ca      *ca
	server  *pair
	log     *zap.Logger
	refused loglimit.Lines // what log may be told

	mu       sync.Mutex
	launches map[certHash]*launch // those whose certificates have not been revoked
}

// launch is one launch of a chaincode.
type launch struct {
	chaincodeID string
	conns       map[*conn]struct{} // connections on which its certificate was shown
}

var _ runtime.Issuer = (*Authenticator)(nil)

// New returns an Authenticator with a CA of its own. The CA's key is ECDSA P-256, and is written nowhere.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Hosts == nil {
		cfg.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	for _, host := range cfg.Hosts {
		if host == "" || strings.ContainsAny(host, ":/ ") && net.ParseIP(host) == nil {
			return nil, errors.Errorf("configure access control: host %q is neither a name nor an IP address", host)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	a := &Authenticator{log: cfg.Logger.Named("chaincode.accesscontrol"), launches: map[certHash]*launch{}}
	var err error
	if a.ca, err = newCA(); err != nil {
		return nil, errors.WithMessage(err, "make CA for chaincode")
	}
	if a.server, err = a.ca.server(cfg.Hosts); err != nil {
		return nil, errors.WithMessage(err, "make certificate of the chaincode listener")
	}
	return a, nil
}

// Issue makes a key and a client certificate for one launch of a chaincode. The chaincode is known by that certificate until
// Revoke is called.
func (a *Authenticator) Issue(chaincodeID string) (*runtime.Credential, error) {
	if chaincodeID == "" {
		return nil, errors.New("issue certificate: the chaincode ID is empty")
	}
	p, err := a.ca.client()
	if err != nil {
		return nil, errors.WithMessagef(err, "issue certificate for chaincode %s", shortened(chaincodeID))
	}
	key, err := keyPEM(p.key)
	if err != nil {
		return nil, errors.WithMessagef(err, "issue certificate for chaincode %s", shortened(chaincodeID))
	}
	hash := hashOf(p.cert)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.launches[hash] = &launch{chaincodeID: chaincodeID, conns: map[*conn]struct{}{}}
	return &runtime.Credential{
		Key: key, Cert: certPEM(p.cert), RootCert: certPEM(a.ca.cert),
		Revoke: func() { a.revoke(hash) },
	}, nil
}

// revoke forgets a certificate and closes the connections that were made with it.
func (a *Authenticator) revoke(hash certHash) {
	a.mu.Lock()
	l := a.launches[hash]
	delete(a.launches, hash)
	a.mu.Unlock()
	if l == nil {
		return
	}
	for c := range l.conns { // nobody else can reach it any more
		_ = c.raw.Close() // not by TLS, which would wait for a client that doesn't read
	}
}

// Identify returns the ID of the chaincode for which the certificate of a stream was issued. ctx is the stream's. Set it as
// Identify in chaincodesupport.Config. Its errors are ErrNoTLS, ErrNoCertificate and *UnknownCertificateError.
func (a *Authenticator) Identify(ctx context.Context) (chaincodeID string, err error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		p = &peer.Peer{}
	}
	if chaincodeID, err = a.identify(p.AuthInfo); err != nil {
		a.refuse("refused a chaincode's stream", p.Addr, err)
	}
	return chaincodeID, err
}

func (a *Authenticator) identify(info credentials.AuthInfo) (string, error) {
	t, ok := info.(credentials.TLSInfo)
	if !ok {
		return "", ErrNoTLS
	}
	if len(t.State.PeerCertificates) == 0 {
		return "", ErrNoCertificate
	}
	hash := hashOf(t.State.PeerCertificates[0])
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.launches[hash]; l != nil {
		return l.chaincodeID, nil
	}
	return "", &UnknownCertificateError{Hash: hash}
}

// refuse logs what was refused, because nobody else does, within a limit. If the Logger panics, the line is lost and nothing
// else happens.
func (a *Authenticator) refuse(what string, from net.Addr, err error) {
	defer func() { _ = recover() }()
	fields := []zap.Field{zap.String("error", shortened(err.Error()))} // no stack: the other end is to blame
	if from != nil {
		fields = append(fields, zap.Stringer("from", from))
	}
	a.refused.Log(a.log, zap.WarnLevel, what, fields...)
}

// maxShown is how many bytes of an error or of a name are shown. Some errors repeat names that the other end has sent, such as
// the protocols that it asks for.
const maxShown = 512

func shortened(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return fmt.Sprintf("%s … (%d bytes cut)", strings.ToValidUTF8(s[:maxShown], ""), len(s)-maxShown)
}

// Flush logs how many refusals were left out since the last line, if any were. Call it when nobody can connect any more.
func (a *Authenticator) Flush() {
	defer func() { _ = recover() }()
	a.refused.Tell(a.log, zap.WarnLevel, "connections or streams of chaincode were refused", true)
}
