package script

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/pkg/errors"
	"google.golang.org/grpc/status"
)

// Each is something that is different each time, and what a line has for it.
var changing = []struct {
	is   *regexp.Regexp
	said string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
	{regexp.MustCompile(`\b[0-9a-f]{65,}\b`), "<hex>"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "<id>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4} [A-Z]+|Z)?( m=[-+.\d]+)?`), "<time>"},
	{regexp.MustCompile(`payload is \d+ bytes`), "payload is <number> bytes"},
	{regexp.MustCompile(`BlockNum: \d+`), "BlockNum: <number>"},
	{regexp.MustCompile(`-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?`), "<certificate>"},
}

// text is a text that came, without what is different each time.
func (s *session) text(t string) string {
	for address, name := range s.names {
		t = strings.ReplaceAll(t, address, name)
	}
	for _, c := range changing {
		t = c.is.ReplaceAllString(t, c.said)
	}
	// Protobuf's errors have now a space, now another one, so that nobody compares them.
	return strings.ReplaceAll(t, "\u00a0", " ")
}

// bytes are bytes that came: as text, if they are. What else they are, who asks for them has to know.
func (s *session) bytes(b []byte) string {
	if utf8.Valid(b) {
		return s.text(string(b))
	}
	return "<bytes>"
}

// failure is an error as a client sees it.
func (s *session) failure(err error) say {
	st := status.Convert(err)
	f := say{"code": st.Code().String(), "message": s.text(st.Message())}
	var (
		endorse  *client.EndorseError
		submit   *client.SubmitError
		statuses *client.CommitStatusError
		commit   *client.CommitError
	)
	switch {
	case errors.As(err, &endorse):
		f["type"] = "EndorseError"
	case errors.As(err, &submit):
		f["type"] = "SubmitError"
	case errors.As(err, &statuses):
		f["type"] = "CommitStatusError"
	case errors.As(err, &commit):
		return say{"type": "CommitError", "validation": commit.Code.String(), "message": s.text(err.Error())}
	}
	var details []string
	for _, d := range st.Details() {
		e, ok := d.(*gateway.ErrorDetail)
		if !ok {
			details = append(details, fmt.Sprintf("%T", d))
			continue
		}
		details = append(details, fmt.Sprintf("%s %s: %s", s.text(e.GetAddress()), e.GetMspId(), s.text(e.GetMessage())))
	}
	if details != nil {
		f["details"] = details
	}
	return f
}

// answer is what a call gave: a payload, or an error.
func (s *session) answer(payload []byte, err error) any {
	if err != nil {
		return s.failure(err)
	}
	return say{"payload": s.bytes(payload)}
}
