package accesscontrol_test

import (
	"crypto/tls"
	"testing"
)

// sessions is a client's cache that counts what it is given.
type sessions struct {
	tls.ClientSessionCache
	kept int
}

func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	s.kept++
	s.ClientSessionCache.Put(key, state)
}

// A session that is resumed proves no certificate. So a revoked one would go on being good, and none is ever resumed.
func TestSessionsAreNotResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			p := newDevPeer(t)
			cache := &sessions{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			cfg := clientTLS(t, p.issue("asset:1"))
			cfg.ClientSessionCache, cfg.MaxVersion, cfg.NextProtos, cfg.ServerName = cache, version, []string{"h2"}, "localhost"
			for range 3 {
				conn, err := tls.Dial("tcp", p.address, cfg)
				if err != nil {
					t.Fatal(err)
				}
				// The server's first byte of HTTP/2 comes after the ticket, if there is one.
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Errorf("read: %v", err)
				}
				if conn.ConnectionState().DidResume {
					t.Error("a session was resumed")
				}
				_ = conn.Close()
			}
			if cache.kept > 0 {
				t.Errorf("the client was given %d sessions", cache.kept)
			}
		})
	}
}
