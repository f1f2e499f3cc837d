package server_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/peer/server"
)

// FuzzConnection sends bytes of anybody's to a server, which hangs up, and goes on to serve others.
func FuzzConnection(f *testing.F) {
	_, address := start(f, server.Config{Services: server.Services{Endorser: endorser(echo)}})
	f.Add([]byte{}, true)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false)
	f.Add([]byte{22, 3, 1, 0, 1, 1}, false)
	f.Add(frame(1, 5, 1, []byte{0x82, 0x87}), true)
	f.Add(append(frame(6, 0, 0, make([]byte, 8)), frame(8, 0, 0, []byte{0, 0, 0, 0})...), true)
	f.Add(frame(3, 0, 1, []byte{0, 0, 0, 8}), true)
	others := dial(f, address, nil)
	f.Fuzz(func(t *testing.T, text []byte, greets bool) {
		c := connect(t, address)
		if greets {
			_, _ = c.Write(greeting) // it may hang up at once
		}
		_, _ = c.Write(text)
		_ = c.Close()
		if r, err := propose(t, others, text); err != nil || string(r.GetPayload()) != string(text) {
			t.Errorf("somebody else gets %v, %v", r, err)
		}
	})
}
