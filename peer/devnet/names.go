package devnet

import (
	"regexp"
	"strings"
)

// numbered matches the MSP IDs of Fabric's samples.
var numbered = regexp.MustCompile(`^Org([0-9]+)MSP$`)

// exampleName returns the name that a peer would have in Fabric's samples, such as peer0.org1.example.com, or "". Applications that were
// written for these expect it in the peer's certificate.
func exampleName(e Endpoint) string {
	m := numbered.FindStringSubmatch(e.MSPID)
	own, _, _ := strings.Cut(e.Peer, ".")
	if m == nil {
		return ""
	}
	return own + ".org" + m[1] + ".example.com"
}
