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

// The API between a peer and its clients: a question is POSTed as JSON, in which bytes are base64, and answered with an
// answer, or with a refusal and a status that isn't 200.
const (
	invokePath     = "/v1/invoke"
	queryPath      = "/v1/query"
	blockPath      = "/v1/block"
	txPath         = "/v1/tx"
	statePath      = "/v1/state"
	explainPath    = "/v1/explain"
	chaincodesPath = "/v1/chaincodes"
	envPath        = "/v1/env"
	eventsPath     = "/v1/events"
	jsonType       = "application/json"
	// maxBody is how large a question may be, in bytes: a message to chaincode, in base64.
	maxBody = pb.MaxMessageSize / 3 * 4
	// answerTimeout is how long a client may take to read an answer.
	answerTimeout = time.Minute
)

// refusal is an answer that is an error. Output is what a chaincode printed that has ended, if the error is about that.
type refusal struct {
	Error  string   `json:"error"`
	Output []string `json:"output,omitempty"`
}

func refused(err error) refusal { return refusal{err.Error(), outputOf(err)} }

// apiServer returns the server of a node's API.
func apiServer(n *node) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+invokePath, answering(n, n.invoke))
	mux.HandleFunc("POST "+queryPath, answering(n, n.query))
	mux.HandleFunc("POST "+blockPath, answering(n, n.block))
	mux.HandleFunc("POST "+txPath, answering(n, n.transaction))
	mux.HandleFunc("POST "+statePath, answering(n, n.state))
	mux.HandleFunc("POST "+explainPath, answering(n, n.explain))
	mux.HandleFunc("POST "+chaincodesPath, answering(n, n.list))
	mux.HandleFunc("POST "+envPath, answering(n, n.env))
	mux.HandleFunc("POST "+eventsPath, answering(n, n.events))
	return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
}

// answering answers questions by a method of the node.
func answering[Q, A any](n *node, run func(context.Context, Q) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var question Q
		if status, err := decode(w, r, &question); err != nil {
			reply(w, status, refused(err))
			return
		}
		a, err := using(n, func() (A, error) { return run(r.Context(), question) })
		switch {
		case errors.Is(err, errStopping):
			reply(w, http.StatusServiceUnavailable, refused(err))
		case errors.As(err, new(unknownError)):
			reply(w, http.StatusNotFound, refused(err))
		case err != nil:
			reply(w, http.StatusInternalServerError, refused(err))
		default:
			reply(w, http.StatusOK, a)
		}
	}
}

// using runs what uses a node. Writing the answer is no part of that: a client that doesn't read it must not hold up the end.
func using[A any](n *node, run func() (A, error)) (a A, err error) {
	release, err := n.use()
	if err != nil {
		return a, err
	}
	defer release()
	return run()
}

// decode reads a question, and returns the status to refuse it with if that is an error. A web page that the user looks at
// can reach this API too: it is kept out by the host that it has to use, and by the type that it can't.
func decode(w http.ResponseWriter, r *http.Request, question any) (int, error) {
	if !local(r.Host) {
		return http.StatusForbidden, errors.Errorf("host %s is not this machine", quote(r.Host))
	}
	if t := r.Header.Get("Content-Type"); t != jsonType {
		return http.StatusUnsupportedMediaType, errors.Errorf("content type is %s, want %s", quote(t), jsonType)
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(question); err != nil {
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
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // in tests there may be no connection
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // it is for people to read
	_ = e.Encode(body)     // a client that has gone needs no answer
}

// send asks the peer at an address, by the path of the API, and decodes what it answers.
func send(ctx context.Context, at address, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return errors.Wrap(err, "encode call")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return errors.Wrap(err, "make request")
	}
	r.Header.Set("Content-Type", jsonType)
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return at.dial(ctx) },
		DisableKeepAlives: true,
	}}
	resp, err := client.Do(r)
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return errors.Errorf("no peer answers at %s (%s): start one with \"ccpeer serve\", or say where it is with --api", at, dial.Err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errConnectionReset) {
		return errors.Errorf("no answer: the connection to %s was closed: has the peer ended, or is that where chaincode or applications connect, and not its API?", at)
	}
	if broken := new(net.OpError); err != nil && !errors.As(err, &broken) && ctx.Err() == nil {
		return errors.Errorf("what listens at %s is no peer's API: it does not speak HTTP", at)
	}
	if err != nil {
		return errors.Wrapf(err, "ask the peer at %s", at)
	}
	defer func() { _ = resp.Body.Close() }()
	return decodeAnswer(resp, at, answer)
}

func decodeAnswer(resp *http.Response, at address, answer any) error {
	d := json.NewDecoder(resp.Body)
	if resp.StatusCode == http.StatusOK {
		return errors.Wrapf(d.Decode(answer), "read the answer of the peer at %s", at)
	}
	var no refusal
	if err := d.Decode(&no); err != nil || no.Error == "" {
		return errors.Errorf("what listens at %s is no peer: it answers %s", at, resp.Status)
	}
	return &refusedError{no}
}
