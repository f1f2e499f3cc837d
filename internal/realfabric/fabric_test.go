package realfabric_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
)

// kept is where Fabric's programs stay built for the next time.
var kept = flag.String("bin", "", "folder that keeps Fabric's programs, so that they are linked only once")

// bin is where TestMain has built Fabric's programs, and program fabric.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	bin = *kept
	if bin == "" {
		bin, err = os.MkdirTemp("", "realfabric-")
		if err != nil {
			return 0, err
		}
		defer func() {
			if removed := os.RemoveAll(bin); err == nil {
				err = removed
			}
		}()
	}
	if err := network.Build(context.Background(), "fabric", bin); err != nil {
		return 0, err
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
	Config        []byte         `json:",omitempty"`
	Layouts       [][]byte       `json:",omitempty"`
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
	Names                []string
}

// fabric is the program that answers with Fabric's code.
type fabric struct {
	t       testing.TB
	encoder *json.Encoder
	decoder *json.Decoder
}

func startFabric(t testing.TB) *fabric {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "fabric"))
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
