package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAs calls chaincode as several clients, of whom the peer still knows everything when it is started again.
func TestAs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	args := append([]string{"--ledger", "pebble:" + dir}, anyPort...)
	s := servePeer(t, args...)
	for _, c := range []struct {
		args   string // separated by |
		status int
		want   string
	}{
		{`{"Args":["creator"]}`, exitOK, "Org1MSP CN=client,"},
		{`{"Args":["creator"]}|--as|alice|--attr|role=registrar|--attr|note=a=b`, exitOK, "Org1MSP CN=alice,OU=client,"},
		{`{"Args":["creator"]}|--as|Admin@Org1MSP`, exitOK, "Org1MSP CN=Admin,OU=admin,"},
		{`{"Args":["attribute","role"]}|--as|alice@Org1MSP`, exitOK, "registrar\n"},
		{`{"Args":["attribute","note"]}|--as|alice`, exitOK, "a=b\n"},
		{`{"Args":["attribute","role"]}|--as|bob`, exitOK, "none\n"},
		{`{"Args":["creator"]}|--as|alice|--attr|role=none`, exitFailed, "it has the attributes map[note:a=b role:registrar] already"},
		{`{"Args":["creator"]}|--as|alice@Org2MSP`, exitFailed, `organization "Org2MSP" is not known to this peer, which has: Org1MSP`},
	} {
		words := append([]string{"query", "-n", "probe", "--api", s.api, "-c"}, strings.Split(c.args, "|")...)
		ccpeer(t, words...).check(t, c.status, c.want)
	}
	certificate := filepath.Join(dir, "identities/organizations/Org1MSP/users/alice/msp/signcerts")
	before := listing(t, certificate)
	s.kill(t)

	s = servePeer(t, args...)
	ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["attribute","role"]}`, "--as", "alice", "--api", s.api).check(t, exitOK, "registrar\n")
	r := ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["put","k","v"]}`, "--as", "alice", "--api", s.api)
	r.check(t, exitOK, "(VALID)")
	ccpeer(t, "block", "--api", s.api).check(t, exitOK, "VALID  alice@Org1MSP  probe put\n")
	if after := listing(t, certificate); len(before) < 2 || len(after) != len(before) {
		t.Errorf("the certificate was %v and is %v", before, after)
	} else {
		for path, text := range before {
			if after[path] != text {
				t.Errorf("%s was %s and is %s", path, text, after[path])
			}
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "identities")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of keys is %v, %v", info, err)
	}
	s.stop(t)
}
