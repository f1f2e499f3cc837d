package devnet

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer"
)

// numbered matches the MSP IDs of Fabric's samples.
var numbered = regexp.MustCompile(`^Org([0-9]+)MSP$`)

// exampleDomain returns the domain that an organization would have in Fabric's samples, such as org1.example.com, or "".
func exampleDomain(mspID string) string {
	if m := numbered.FindStringSubmatch(mspID); m != nil {
		return "org" + m[1] + ".example.com"
	}
	return ""
}

// exampleName returns the name that a peer would have in Fabric's samples, such as peer0.org1.example.com, or "". Applications that were
// written for these expect it in the peer's certificate.
func exampleName(e Endpoint) string {
	domain := exampleDomain(e.MSPID)
	if domain == "" {
		return ""
	}
	own, _, _ := strings.Cut(e.Peer, ".")
	return own + "." + domain
}

// LinkSamples makes symbolic links in a network's Folder, by which applications of Fabric's samples find their files: the folder
// organizations is then as that of their test network. It has links for the peers, and for users such as User1, of organizations
// that are called Org1MSP and so on. On Windows it does nothing.
func (r *Running) LinkSamples(networkFolder string, users ...string) error {
	if runtime.GOOS == "windows" {
		return nil // there it needs a privilege
	}
	for _, e := range r.endpoints {
		domain := exampleDomain(e.MSPID)
		if domain == "" {
			continue
		}
		organization := peer.OrganizationFolder(networkFolder, e.MSPID)
		as := filepath.Join(filepath.Dir(organization), "peerOrganizations", domain)
		links := map[string]string{
			"msp":                     "msp",
			"peers/" + exampleName(e): "peers/" + e.Peer,
			"connection-" + strings.TrimSuffix(domain, ".example.com") + ".json": ProfileFile,
		}
		for _, user := range users {
			links["users/"+user+"@"+domain] = "users/" + user
		}
		for name, target := range links {
			if err := link(filepath.Join(as, filepath.FromSlash(name)), filepath.Join(organization, filepath.FromSlash(target))); err != nil {
				return errors.Wrap(err, "link files for Fabric's samples")
			}
		}
	}
	return nil
}

// link makes a link that stays right when the folder is moved. It leaves what is there already.
func link(name, target string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	path, err := filepath.Rel(filepath.Dir(name), target)
	if err != nil {
		return err
	}
	if err := os.Symlink(path, name); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
