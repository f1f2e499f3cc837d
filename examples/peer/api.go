package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// The API between a peer and its clients: a call is POSTed as JSON, in which bytes are base64, and answered with an
// answer, or with a refusal and a status that isn't 200.
const (
	invokePath = "/v1/invoke"
	queryPath  = "/v1/query"
	jsonType   = "application/json"
	// maxBody is how large a call may be, in bytes: a message to chaincode, in base64.
	maxBody = pb.MaxMessageSize / 3 * 4
)

type refusal struct {
	Error string `json:"error"`
}

// apiServer returns the server of a node's API.
func apiServer(n *node) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+invokePath, serveCalls(n.invoke))
	mux.HandleFunc("POST "+queryPath, serveCalls(n.query))
	return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
}

func serveCalls(run func(context.Context, call) (*answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var c call
		if status, err := decode(w, r, &c); err != nil {
			reply(w, status, refusal{err.Error()})
			return
		}
		a, err := run(r.Context(), c)
		switch {
		case errors.As(err, new(unknownError)):
			reply(w, http.StatusNotFound, refusal{err.Error()})
		case err != nil:
			reply(w, http.StatusInternalServerError, refusal{err.Error()})
		default:
			reply(w, http.StatusOK, a)
		}
	}
}

// decode reads a call, and returns the status to refuse it with if that is an error. A web page that the user looks at
// can reach this API too: it is kept out by the host that it has to use, and by the type that it can't.
func decode(w http.ResponseWriter, r *http.Request, c *call) (int, error) {
	if !local(r.Host) {
		return http.StatusForbidden, errors.Errorf("host %s is not this machine", quote(r.Host))
	}
	if t := r.Header.Get("Content-Type"); t != jsonType {
		return http.StatusUnsupportedMediaType, errors.Errorf("content type is %s, want %s", quote(t), jsonType)
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return http.StatusBadRequest, errors.Wrap(err, "decode call")
	}
	return http.StatusOK, nil
}

// local says whether a Host header names this machine.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone needs no answer
}

// send asks the peer at an address to run a call, by the path of the API.
func send(ctx context.Context, at address, path string, c call) (*answer, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, errors.Wrap(err, "encode call")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.Wrap(err, "make request")
	}
	r.Header.Set("Content-Type", jsonType)
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return at.dial(ctx) },
		DisableKeepAlives: true,
	}}
	resp, err := client.Do(r)
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return nil, errors.Errorf("no peer answers at %s (%s): start one with \"peer serve\", or say where it is with --api", at, dial.Err)
	}
	if broken := new(net.OpError); err != nil && !errors.As(err, &broken) && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		return nil, errors.Errorf("what listens at %s is no peer's API: it does not speak HTTP", at)
	}
	if err != nil {
		return nil, errors.Wrapf(err, "ask the peer at %s", at)
	}
	defer func() { _ = resp.Body.Close() }()
	return decodeAnswer(resp, at)
}

func decodeAnswer(resp *http.Response, at address) (*answer, error) {
	d := json.NewDecoder(resp.Body)
	if resp.StatusCode == http.StatusOK {
		a := new(answer)
		if err := d.Decode(a); err != nil {
			return nil, errors.Wrapf(err, "read the answer of the peer at %s", at)
		}
		return a, nil
	}
	var no refusal
	if err := d.Decode(&no); err != nil || no.Error == "" {
		return nil, errors.Errorf("what listens at %s is no peer: it answers %s", at, resp.Status)
	}
	return nil, errors.New(no.Error)
}
