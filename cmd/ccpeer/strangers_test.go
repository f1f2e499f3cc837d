package main

import (
	"io"
	"net"
	"testing"
	"time"
)

// F92: strangers take all the places that they can get. The chaincode that is registered goes on, and the API answers: its
// connections are not among those of chaincode.
func TestServeAmongStrangers(t *testing.T) {
	t.Parallel()
	s := servePeer(t, anyPort...)
	invoke := func(value string) {
		ccpeer(t, "invoke", "-C", "mychannel", "-n", "probe", "-c", `{"Args":["put","k","`+value+`"]}`, "--api", s.api)
	}
	invoke("before")
	const strangers, places = 600, 500
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	hungUp := make(chan struct{}, strangers)
	for range strangers {
		c, err := net.Dial("tcp", s.chaincode)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		go func() {
			_, _ = io.Copy(io.Discard, c)
			hungUp <- struct{}{}
		}()
	}
	for range strangers - places {
		select {
		case <-hungUp:
		case <-time.After(30 * time.Second):
			t.Fatal("the strangers were let in")
		}
	}
	invoke("meanwhile")
	if c := s.listed(t)["probe"]; c.State != "ready" {
		t.Errorf("probe is %+v", c)
	}
	// F124: those that stall in their handshakes, for which they have 10 s, don't hold up the end.
	began := time.Now()
	s.stop(t)
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the end beside %d handshakes took %s", places, d)
	} else {
		t.Logf("the end beside %d handshakes took %s", places, d)
	}
}
