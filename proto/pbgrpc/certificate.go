package pbgrpc

import (
	"context"
	"crypto/sha256"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// ClientCertificateHash returns SHA-256 of the certificate that a client has shown, by the context of its call, or nil if it has shown
// none. Clients bind what they sign to their connection by it, where there is mutual TLS.
func ClientCertificateHash(ctx context.Context) []byte {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil
	}
	hash := sha256.Sum256(info.State.PeerCertificates[0].Raw)
	return hash[:]
}
