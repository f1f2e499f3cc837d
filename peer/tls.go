package peer

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/tlsca"
)

// The files of a folder tls, beside the private key, as Fabric's cryptogen names them. A client's are called client.crt and
// client.key.
const (
	tlsRootFile = "ca.crt"
	serverFiles = "server"
	clientFiles = "client"
)

// TLSRoot returns the certificate of the CA that certifies an organization's TLS certificates, as PEM in a new slice. It is nil if
// the network has no such organization.
func (n *Network) TLSRoot(mspID string) []byte {
	if o := n.organizations.of(mspID); o != nil {
		return bytes.Clone(o.tls.Cert)
	}
	return nil
}

// ServerCertificate returns a peer's TLS certificate with its key. It is good for hosts, which are names or IP addresses, and for the
// peer's own name. Without hosts they are localhost, 127.0.0.1 and ::1. With a Folder the certificate stays the same until
// it ends, or is asked for with other hosts.
func (n *Network) ServerCertificate(peerName string, hosts []string) (tls.Certificate, error) {
	if len(hosts) == 0 {
		hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	i := slices.IndexFunc(n.peers, func(p *Peer) bool { return p.Name() == peerName })
	if i < 0 {
		return tls.Certificate{}, errors.Errorf("TLS certificate of %q: the network has no such peer", peerName)
	}
	o := n.organizations.of(n.peers[i].MSPID())
	c, err := o.certificate([]string{"peers", peerName, "tls"}, serverFiles, hosts, func() (tlsca.Pair, error) { return o.tls.Server(peerName, hosts) })
	return c, errors.WithMessagef(err, "TLS certificate of %q", peerName)
}

// ClientCertificate returns the TLS certificate of a client, such as alice@Org1MSP, with its key: a server with mutual TLS wants one.
// Names are as those of Client. With a Folder the certificate stays the same until it ends.
func (n *Network) ClientCertificate(name string) (tls.Certificate, error) {
	who, o, err := n.organizations.ofClient(name)
	if err != nil {
		return tls.Certificate{}, errors.WithMessagef(err, "TLS certificate of %q", name)
	}
	c, err := o.certificate([]string{"users", who, "tls"}, clientFiles, nil, func() (tlsca.Pair, error) { return o.tls.Client(who) })
	return c, errors.WithMessagef(err, "TLS certificate of %q", name)
}

// certificate returns what is kept in a place, whose last but one part is whose it is, or what makeNew makes.
func (o *organization) certificate(place []string, file string, hosts []string, makeNew func() (tlsca.Pair, error)) (tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir := o.folder.in(place...)
	pair, err := o.pairIn(place, file)
	if err != nil {
		return tls.Certificate{}, err
	}
	if o.tls.Good(pair, place[len(place)-2], hosts) {
		return pair.Certificate()
	}
	if pair, err = makeNew(); err != nil {
		return tls.Certificate{}, err
	}
	o.pairs[filepath.Join(place...)] = pair
	if dir != "" {
		err = dir.replace(map[string][]byte{file + ".crt": pair.Cert, file + ".key": pair.Key, tlsRootFile: o.tls.Cert})
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.Certificate()
}

// pairIn returns the certificate of a place, or the zero Pair. One whose key is not there can't be used.
func (o *organization) pairIn(place []string, file string) (tlsca.Pair, error) {
	if o.folder == "" {
		return o.pairs[filepath.Join(place...)], nil
	}
	pair, err := o.folder.in(place...).readPair(file+".crt", file+".key")
	if errors.Is(err, fs.ErrNotExist) {
		return tlsca.Pair{}, nil
	}
	return pair, err
}

// readPair returns a certificate and its key, or the zero Pair if there is no certificate.
func (f folder) readPair(cert, key string) (pair tlsca.Pair, err error) {
	pair.Cert, err = os.ReadFile(filepath.Join(string(f), cert))
	if errors.Is(err, fs.ErrNotExist) {
		return tlsca.Pair{}, nil
	}
	if err == nil {
		pair.Key, err = os.ReadFile(filepath.Join(string(f), key))
	}
	return pair, errors.Wrap(err, "read TLS certificate")
}

// tlsCA returns the CA for TLS that the organization had before, or a new one.
func (f folder) tlsCA(mspID string) (*tlsca.CA, error) {
	dir := f.in("tlsca")
	if dir != "" {
		pair, err := dir.readPair("cert.pem", "key.pem")
		if err != nil {
			return nil, err
		}
		if pair.Cert != nil {
			return tlsca.Load(mspID, pair)
		}
	}
	ca, err := tlsca.New(mspID)
	if err != nil || dir == "" {
		return ca, err
	}
	return ca, dir.write(map[string][]byte{"cert.pem": ca.Cert, "key.pem": ca.Key})
}

// public is what others must know of the organization.
func (o *organization) public() identity.Organization {
	public := o.msp.Organization()
	public.TLSRoots = []*x509.Certificate{o.tls.Root()}
	return public
}

// addTLSRoot has an MSP folder say which CA the organization has for TLS. One that was written before there was any doesn't say it.
func (o *organization) addTLSRoot(msp folder) error {
	const file = "0-cert.pem"
	dir := msp.in("tlscacerts")
	if msp == "" {
		return nil
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.tls.Root().Raw})
	if is, err := os.ReadFile(filepath.Join(string(dir), file)); err == nil && bytes.Equal(is, root) {
		return nil
	}
	return dir.replace(map[string][]byte{file: root})
}
