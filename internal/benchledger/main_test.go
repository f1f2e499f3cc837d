package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

func TestMain(m *testing.M) {
	etcdtest.Main()
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		main() // a process that measures one store
		return
	}
	goleak.VerifyTestMain(m)
}

// TestShort measures a little of everything. Whether targets are met says nothing here.
func TestShort(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-short", "-json"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range report.Rows {
		got[r.Engine+" "+r.What] = true
		if r.Figure <= 0 || r.LowerQuartile > r.Figure || r.UpperQuartile < r.Figure || r.Unit == "" {
			t.Errorf("%+v", r)
		}
	}
	if len(got) != 2*6+2*3 {
		t.Errorf("there are %d figures: %v", len(got), got)
	}
	for name := range targets {
		if !got[name] {
			t.Errorf("there is a target for %q, and no figure", name)
		}
	}
	out.Reset()
	report.Rows[0].Target, report.Rows[0].AtMost = report.Rows[0].Figure/2, true
	if err := report.write(&out); err == nil || !strings.Contains(out.String(), "MISSED") {
		t.Errorf("a target is missed: %v in\n%s", err, &out)
	}
	for _, r := range report.Rows {
		if !strings.Contains(out.String(), r.What) {
			t.Errorf("%q is not in\n%s", r.What, &out)
		}
	}
}

// TestEnvelopes measures a little of where to keep envelopes.
func TestEnvelopes(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-short", "-envelopes", "25"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, p := range places() {
		if !strings.Contains(out.String(), "\n"+p.name+" ") {
			t.Errorf("%s is not in\n%s", p.name, &out)
		}
	}
}

func TestRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-engines|floppy":            `there is no store "floppy"`,
		"-rounds|0":                  "must be at least 1",
		"extra":                      "unexpected argument",
		"-child|{":                   "decode configuration",
		`-child|{"Engine":"floppy"}`: `there is no store "floppy"`,
	} {
		err := run(t.Context(), strings.Split(args, "|"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
