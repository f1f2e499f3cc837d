package realfabric_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
)

// program is where TestMain has built program fabric.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "realfabric-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if removed := os.RemoveAll(dir); err == nil {
			err = removed
		}
	}()
	program = filepath.Join(dir, "fabric")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir, build.Env = "fabric", append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, errors.Errorf("build Fabric: %v\n%s", err, out)
	}
	code = m.Run()
	return code, goleak.Find()
}

// question and answer are those of program fabric.
type question struct {
	Organizations []organization `json:",omitempty"`
	Policy        *string        `json:",omitempty"`
	Signers       [][]byte       `json:",omitempty"`
	Envelope      []byte         `json:",omitempty"`
	Signed        []signed       `json:",omitempty"`
	Block         []byte         `json:",omitempty"`
	Proposal      []byte         `json:",omitempty"`
	Responses     [][]byte       `json:",omitempty"`
	Endorse       bool           `json:",omitempty"`
	Signature     []byte         `json:",omitempty"`
	Channel       *channel       `json:",omitempty"`
	Commit        []byte         `json:",omitempty"`
	Folder        string         `json:",omitempty"`
	MSPID         string         `json:",omitempty"`
	Message       []byte         `json:",omitempty"`
}

type organization struct {
	MSPID                        string
	Root                         []byte
	Intermediates, Admins, Lists [][]byte `json:",omitempty"`
	NoUnits                      bool     `json:",omitempty"`
}

type signed struct{ Identity, Data, Signature []byte }

type answer struct {
	Envelope             []byte
	ParseError, Error    string
	HeaderHash, DataHash []byte
	Payload              []byte
	Creator, Signature   []byte
	Codes                []byte
}

// fabric is the program that answers with Fabric's code.
type fabric struct {
	t       testing.TB
	encoder *json.Encoder
	decoder *json.Decoder
}

func startFabric(t testing.TB) *fabric {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return &fabric{t: t, encoder: json.NewEncoder(in), decoder: json.NewDecoder(bufio.NewReader(out))}
}

func (f *fabric) ask(q question) answer {
	f.t.Helper()
	if err := f.encoder.Encode(q); err != nil {
		f.t.Fatal(err)
	}
	var a answer
	if err := f.decoder.Decode(&a); err != nil {
		f.t.Fatal(err)
	}
	return a
}
