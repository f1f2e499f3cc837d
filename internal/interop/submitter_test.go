package interop_test

import (
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
)

// org is the organization of who proposes the transactions.
const org = "OrgMSP"

// issueSubmitter makes an identity once.
var issueSubmitter = sync.OnceValues(func() (*identity.Identity, error) {
	return issue("ann", map[string]string{"colour": "blue"})
})

// submitter returns who proposes the transactions: ann, whose attribute "colour" is "blue".
func submitter(t testing.TB) *identity.Identity {
	id, err := issueSubmitter()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// issue makes an identity of org. What chaincode can tell of it is the same each time, but for its certificate.
func issue(name string, attributes map[string]string) (*identity.Identity, error) {
	msp, err := identity.NewMSP(identity.MSPConfig{ID: org, Organization: "org.example.com"})
	if err != nil {
		return nil, err
	}
	return msp.Issue(identity.Config{CommonName: name, Attributes: attributes})
}
