package clients_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	pb "github.com/ccpeer/ccpeer/proto"
)

// proxies stand between a program and the network's servers, and note what they say to each other.
type proxies struct {
	mu    sync.Mutex
	agent string
	calls []*call
}

// call is one that a program has made.
type call struct {
	method string
	lines  []string
	ended  bool
	end    *status.Status // nil if that is OK
}

// between puts a proxy before each server of a network, and describes it anew: the proxies show the servers the client's certificate.
func between(t *testing.T, d *description) *proxies {
	t.Helper()
	p := &proxies{}
	root, pair := certificate(t)
	file := filepath.Join(d.dir, "proxies.pem")
	write(t, file, root)
	shown, err := tls.LoadX509KeyPair(d.Client.Cert, d.Client.Key)
	if err != nil {
		t.Fatal(err)
	}
	listen := func(address, serverName, tlsRoot string) string {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(readFile(t, tlsRoot))
		return p.listen(t, pair, address, &tls.Config{RootCAs: pool, ServerName: serverName, Certificates: []tls.Certificate{shown}})
	}
	through := *d.Target
	through.Organizations = append([]target.Organization(nil), through.Organizations...)
	for i := range through.Organizations {
		o := &through.Organizations[i]
		o.Peer, o.TLSRoot = listen(o.Peer, o.ServerName, o.TLSRoot), file
	}
	o := &through.Orderer
	o.Address, o.TLSRoot = listen(o.Address, o.ServerName, o.TLSRoot), file
	d.Target = &through
	return p
}

// certificate makes one for TLS on this machine, which is its own CA.
func certificate(t *testing.T) (root []byte, pair tls.Certificate) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// raw takes messages as bytes.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// listen passes calls on to a server, and returns where it listens.
func (p *proxies) listen(t *testing.T, pair tls.Certificate, to string, cfg *tls.Config) string {
	t.Helper()
	conn, err := grpc.NewClient(to, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(100<<20), grpc.MaxCallSendMsgSize(100<<20)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	creds := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert})
	s := grpc.NewServer(grpc.Creds(creds), grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(100<<20), grpc.MaxSendMsgSize(100<<20),
		grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return p.pass(s, conn) }))
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// pass passes a call on.
func (p *proxies) pass(client grpc.ServerStream, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	c := p.begin(client)
	method, _ := grpc.MethodFromServerStream(client)
	server, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return p.ended(c, err)
	}
	go func() { // it ends when this handler has returned
		if err := p.forward(c, client, server); err == nil {
			_ = server.CloseSend() // its error is that of the next RecvMsg
		}
	}()
	err = p.back(c, client, server)
	if ended := client.Context().Err(); ended != nil { // by the client
		err = status.FromContextError(ended).Err()
	}
	return p.ended(c, err)
}

func (p *proxies) forward(c *call, from grpc.ServerStream, to grpc.ClientStream) error {
	for {
		var m []byte
		if err := from.RecvMsg(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		p.note(c, 0, m)
		if err := to.SendMsg(&m); err != nil {
			return err
		}
	}
}

func (p *proxies) back(c *call, to grpc.ServerStream, from grpc.ClientStream) error {
	for {
		var m []byte
		if err := from.RecvMsg(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		p.note(c, 1, m)
		if err := to.SendMsg(&m); err != nil {
			return err
		}
	}
}

func (p *proxies) begin(s grpc.ServerStream) *call {
	method, _ := grpc.MethodFromServerStream(s)
	c := &call{method: method}
	header, _ := metadata.FromIncomingContext(s.Context())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agent = strings.Join(header.Get("user-agent"), " ")
	if _, limited := s.Context().Deadline(); !limited { // else it's a race how it ends
		p.calls = append(p.calls, c)
	}
	return c
}

// note notes a message, of the client if by is 0, or of the server.
func (p *proxies) note(c *call, by int, b []byte) {
	known, ok := methods[c.method]
	line := fmt.Sprintf("%c %d bytes", "><"[by], len(b))
	if m := known[by]; ok {
		into := m.ProtoReflect().New()
		if proto.Unmarshal(b, into.Interface()) == nil {
			line = line[:2] + text(into)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.lines = append(c.lines, line)
}

func (p *proxies) ended(c *call, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.ended, c.end = true, status.Convert(err)
	return c.end.Err()
}

// transcript is the first call of each method that has ended in each way.
func (p *proxies) transcript() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "# The client calls itself %s.\n", p.agent)
	seen := map[string]bool{}
	for _, c := range p.calls {
		how := c.how()
		if seen[c.method+how] || c.unanswered() {
			continue
		}
		seen[c.method+how] = true
		fmt.Fprintf(&b, "\n== %s: %s\n%s\n", strings.TrimPrefix(c.method, "/"), how, strings.Join(c.shown(), "\n"))
	}
	text := normal(b.String())
	for _, d := range differences {
		text = d.what.ReplaceAllString(text, "")
	}
	return text
}

// differences are what Fabric says and this repository doesn't.
var differences = []struct {
	what   *regexp.Regexp
	reason string
}{
	{
		regexp.MustCompile(`ns_rwset:\{namespace:"_lifecycle" rwset:\{reads:\{key:"namespaces/fields/\w+/Sequence" version:\{block_num:NUMBER\}\}\}\} ?`),
		"Chaincode's definition is no state here, so no transaction reads it.",
	},
	{regexp.MustCompile(`results:\{\} `), "So there are transactions that neither read nor write."},
}

// how says how a call has ended. It is a race who ends one that has got a status.
func (c *call) how() string {
	switch refused := c.status(); {
	case refused >= 0:
		return strings.Trim(c.lines[refused], "< {}")
	case c.ended:
		return c.end.Code().String()
	}
	return codes.Canceled.String() // sooner or later
}

// status is the index of the answer that is a status, in place of a block, or negative.
func (c *call) status() int {
	return slices.IndexFunc(c.lines, func(l string) bool {
		return strings.HasPrefix(l, "< {status:") && strings.Contains(c.method, "Deliver")
	})
}

// unanswered reports whether the client had no patience.
func (c *call) unanswered() bool {
	answered := slices.ContainsFunc(c.lines, func(l string) bool { return strings.HasPrefix(l, "<") })
	return !answered && (!c.ended || c.end.Code() == codes.Canceled)
}

// shown are the lines of a call: all of a call with one answer, and the first answer of a stream, which the client has ended at some
// time. If it begins with the newest block, that is one of before, and the second answer is shown.
func (c *call) shown() []string {
	lines, answers := c.lines, 0
	if refused := c.status(); refused >= 0 {
		return lines[:refused+1]
	}
	if !c.ended || c.end.Code() == codes.Canceled {
		for i, l := range lines {
			if strings.HasPrefix(l, "<") {
				answers++
			}
			switch newest := strings.Contains(lines[0], "start:{newest:{}}"); {
			case answers == 1 && !newest:
				return append(lines[:i+1:i+1], "…")
			case answers == 2:
				return []string{lines[0], "…", l, "…"}
			}
		}
	}
	if c.end.Code() != codes.OK && c.end.Code() != codes.Canceled {
		lines = append(lines, fmt.Sprintf("end %q", c.end.Message()))
		for _, d := range c.end.Proto().GetDetails() {
			detail := &pb.ErrorDetail{}
			if proto.Unmarshal(d.GetValue(), detail) == nil {
				lines = append(lines, "detail "+d.GetTypeUrl()+" "+text(detail.ProtoReflect()))
			}
		}
	}
	return lines
}
