package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes, so that their deadlines are those of synctest's clock.
type pipes struct {
	net.Listener
	conns chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
func (p pipes) Close() error   { return nil }

// F125: whoever says nothing to the API, or a part of a question, or nothing more, is hung up on in time.
func TestAPITimeouts(t *testing.T) {
	const post = "POST " + queryPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + jsonType + "\r\n"
	for _, c := range []struct {
		name, sent string
		want       time.Duration
	}{
		{"nothing", "", 10 * time.Second},
		{"half a header", post, 10 * time.Second},
		{"half a question", post + "Content-Length: 100\r\n\r\n{", time.Minute},
		{"no second question", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, l := apiServer(new(node)), pipes{conns: make(chan net.Conn)}
				go func() { _ = server.Serve(l) }()
				client, conn := net.Pipe()
				l.conns <- conn
				began := time.Now()
				go func() { _, _ = io.Copy(client, strings.NewReader(c.sent)) }()
				if err := client.SetReadDeadline(began.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, client); err != nil {
					t.Error(err)
				}
				// What a refused question has left unread is waited for a moment.
				if d := time.Since(began); d < c.want || d > c.want+time.Second {
					t.Errorf("it was hung up on after %s, want %s", d, c.want)
				}
				_ = client.Close()
				close(l.conns)
				_ = server.Close()
			})
		})
	}
}

// F125: whoever doesn't read the answer is hung up on, and doesn't hold up the end meanwhile.
func TestAPIAnswerIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, l := new(node), pipes{conns: make(chan net.Conn)}
		server := &http.Server{Handler: answering(n, func(context.Context, call) (*answer, error) { return new(answer), nil })}
		go func() { _ = server.Serve(l) }()
		client, conn := net.Pipe()
		l.conns <- conn
		began := time.Now()
		if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+jsonType+"\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !n.using.TryLock() {
			t.Error("the node is used while the answer is written")
		}
		// The server reads one byte ahead, so the second one waits until it hangs up.
		if _, err := io.WriteString(client, "xx"); err != io.ErrClosedPipe {
			t.Errorf("write: %v", err)
		}
		if d := time.Since(began); d < answerTimeout || d > answerTimeout+time.Second {
			t.Errorf("it was hung up on after %s, want %s", d, answerTimeout)
		}
		close(l.conns)
		_ = server.Close()
	})
}
