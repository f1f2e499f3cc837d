package realfabric_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
)

// TestFolders has Fabric sign with the identities in folders that were written here. It knows ECDSA only: Ed25519 came later.
func TestFolders(t *testing.T) {
	f := startFabric(t)
	for _, ofCA := range []identity.Algorithm{identity.ECDSAP256, identity.ECDSAP384} {
		org1, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", Algorithm: ofCA})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := identity.NewVerifier(org1.Organization())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []identity.Algorithm{identity.ECDSAP256, identity.ECDSAP384} {
			for _, unit := range []string{"client", "peer", "admin", "orderer", ""} {
				id, err := org1.Issue(identity.Config{CommonName: "alice", OUs: []string{unit}, Algorithm: a})
				if err != nil {
					t.Fatal(err)
				}
				dir := filepath.Join(t.TempDir(), "msp")
				if err := mspfolder.Write(dir, org1.Organization(), id); err != nil {
					t.Fatal(err)
				}
				theirs := f.ask(question{Folder: dir, MSPID: "Org1MSP", Message: []byte("message")})
				who, err := verifier.Identify(id.Creator())
				if (err == nil) != (theirs.Error == "") {
					t.Fatalf("%s by %s with unit %q: ours %v, Fabric's %s", a, ofCA, unit, err, theirs.Error)
				}
				if err != nil {
					continue
				}
				if !bytes.Equal(theirs.Creator, id.Creator()) {
					t.Errorf("%s by %s: Fabric's creator is\n%s, ours\n%s", a, ofCA, theirs.Creator, id.Creator())
				}
				if err := who.Verify([]byte("message"), theirs.Signature); err != nil {
					t.Errorf("%s by %s: what Fabric has signed: %v", a, ofCA, err)
				}
			}
		}
	}
}
