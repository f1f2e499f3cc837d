package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
)

// envQuestion asks for what an application needs.
type envQuestion struct {
	As      string `json:"as,omitempty"` // NAME or NAME@MSPID; empty: defaultUser
	Channel string `json:"channel"`
}

// envJSON is what an application needs. Paths are absolute, and empty where there are no files.
type envJSON struct {
	MSPID   string `json:"mspid"`
	User    string `json:"user"`
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	Address string `json:"address"`
	TLS     string `json:"tls"` // on, mutual or off
	// TLSRoot is the certificate that the application trusts, and TLSCertificate and TLSKey are what it shows if TLS is mutual.
	TLSRoot        string `json:"tlsRoot,omitempty"`
	TLSCertificate string `json:"tlsCertificate,omitempty"`
	TLSKey         string `json:"tlsKey,omitempty"`
	MSPFolder      string `json:"mspFolder,omitempty"`
	Certificate    string `json:"certificate,omitempty"`
	Key            string `json:"key,omitempty"`
	Organization   string `json:"organizationFolder,omitempty"`
	Profile        string `json:"connectionProfile,omitempty"`
	// Variables are the same as the programs of Fabric want them.
	Variables map[string]string `json:"variables"`
}

// env answers an envQuestion. A user that isn't there yet is made.
func (n *node) env(_ context.Context, q envQuestion) (*envJSON, error) {
	if n.gateways == nil {
		return nil, unknownError{"this peer serves no applications: start it with --gateway HOST:PORT"}
	}
	if _, err := n.channel(q.Channel); err != nil {
		return nil, err
	}
	name, msp, err := n.cfg.memberNamed(q.As, defaultUser)
	if err != nil {
		return nil, err
	}
	if err := n.prepareUser(name + "@" + msp); err != nil {
		return nil, err
	}
	at := n.gateways.Endpoint(msp)
	e := &envJSON{MSPID: msp, User: name, Channel: q.Channel, Peer: at.Peer, Address: at.Address, TLS: string(n.cfg.gateway.tls)}
	if n.folder != "" {
		if err := e.find(n.folder); err != nil {
			return nil, err
		}
	}
	e.Variables = e.variables()
	return e, nil
}

// find looks for the files that the application needs, in the folder of a network.
func (e *envJSON) find(folder string) (err error) {
	user := func(below ...string) string {
		return peer.OrganizationFolder(folder, e.MSPID, append([]string{"users", e.User}, below...)...)
	}
	e.Organization, e.MSPFolder = peer.OrganizationFolder(folder, e.MSPID), user("msp")
	e.Profile = filepath.Join(e.Organization, devnet.ProfileFile)
	if e.Certificate, err = onlyFile(user("msp", "signcerts")); err != nil {
		return err
	}
	if e.Key, err = onlyFile(user("msp", "keystore")); err != nil {
		return err
	}
	if e.TLS != string(tlsOff) {
		e.TLSRoot = peer.OrganizationFolder(folder, e.MSPID, "peers", e.Peer, "tls", "ca.crt")
	}
	if e.TLS == string(tlsMutual) {
		e.TLSCertificate, e.TLSKey = user("tls", "client.crt"), user("tls", "client.key")
	}
	return nil
}

// onlyFile returns the path of the file in a folder.
func onlyFile(folder string) (string, error) {
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		return "", errors.Errorf("%s: want one file, found %d (%v)", folder, len(files), err)
	}
	return filepath.Join(folder, files[0].Name()), nil
}

// variables are those of Fabric's programs. The first ones are what the samples of fabric-gateway read.
func (e *envJSON) variables() map[string]string {
	v := map[string]string{
		"CHANNEL_NAME": e.Channel, "MSP_ID": e.MSPID, "PEER_ENDPOINT": e.Address, "PEER_HOST_ALIAS": "localhost",
		"CRYPTO_PATH": e.Organization, "CERT_DIRECTORY_PATH": filepath.Dir(e.Certificate), "KEY_DIRECTORY_PATH": filepath.Dir(e.Key), "TLS_CERT_PATH": e.TLSRoot,
		"CORE_PEER_LOCALMSPID": e.MSPID, "CORE_PEER_ADDRESS": e.Address, "CORE_PEER_MSPCONFIGPATH": e.MSPFolder, "CORE_PEER_TLS_ENABLED": fmt.Sprint(e.TLS != string(tlsOff)),
		"CORE_PEER_TLS_ROOTCERT_FILE": e.TLSRoot, "ORDERER_ADDRESS": e.Address, "ORDERER_CA": e.TLSRoot, "CONNECTION_PROFILE": e.Profile,
	}
	if e.TLS == string(tlsMutual) {
		v["CORE_PEER_TLS_CLIENTAUTHREQUIRED"] = "true"
		v["CORE_PEER_TLS_CLIENTCERT_FILE"], v["CORE_PEER_TLS_CLIENTKEY_FILE"] = e.TLSCertificate, e.TLSKey
	}
	for name, value := range v {
		if value == "" || value == "." {
			delete(v, name)
		}
	}
	return v
}

// print says what a shell must forget, too: it may have had another peer.
func (e *envJSON) print(w io.Writer, _ style) {
	for _, name := range sometimesSet {
		if _, ok := e.Variables[name]; !ok {
			_, _ = fmt.Fprintf(w, "unset %s\n", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Variables)) {
		_, _ = fmt.Fprintf(w, "export %s=%s\n", name, shellWord(e.Variables[name]))
	}
}

// sometimesSet are the variables that depend on how applications connect.
var sometimesSet = []string{
	"TLS_CERT_PATH", "CORE_PEER_TLS_ROOTCERT_FILE", "ORDERER_CA",
	"CORE_PEER_TLS_CLIENTAUTHREQUIRED", "CORE_PEER_TLS_CLIENTCERT_FILE", "CORE_PEER_TLS_CLIENTKEY_FILE",
}

func envCommand() *cobra.Command {
	var (
		f      lookFlags
		as     string
		wallet string
	)
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Show what an application needs: addresses, files, variables",
		Long: `Shows what an application of Fabric needs to connect to the peer that is running: variables, for a shell to read.

  eval "$(ccpeer env)"

MSP_ID, PEER_ENDPOINT, PEER_HOST_ALIAS, CRYPTO_PATH, CERT_DIRECTORY_PATH, KEY_DIRECTORY_PATH, TLS_CERT_PATH and CHANNEL_NAME are those that
the samples of fabric-gateway read. CORE_PEER_… are those of Fabric's program peer, whose --orderer is ORDERER_ADDRESS and whose --cafile is
ORDERER_CA. CONNECTION_PROFILE is a file for fabric-network.

--as says who the application is, such as alice or Admin@` + mspID + `. A user that isn't there yet is made.

--wallet also writes the user's identity into a folder, as fabric-network keeps identities, under the user's name.

JSON: {"mspid", "user", "channel", "peer", "address", "tls", "tlsRoot", "tlsCertificate", "tlsKey", "mspFolder", "certificate", "key",
"organizationFolder", "connectionProfile", "variables": {name: value}}; tls is on, mutual or off. All but the address and the names are paths of
files and folders, and are left out if there are none.`,
		Example: `  eval "$(ccpeer env)"
  ccpeer env --as Admin
  ccpeer env --as appUser --wallet ./wallet
  ccpeer env --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.json && wallet != "" {
				return usagef("give either --json or --wallet")
			}
			e := new(envJSON)
			if err := f.look(cmd, envPath, envQuestion{As: as, Channel: f.channel}, e); err != nil || wallet == "" {
				return err
			}
			return e.writeWallet(wallet)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&wallet, "wallet", "", "folder into which the user's identity is written, for fabric-network")
	cmd.Flags().StringVar(&as, "as", "", "who the application is: NAME or NAME@MSPID (default "+defaultUser+" of the first organization)")
	return cmd
}

// memberNamed returns a member's name and the ID of an organization of this peer, of a text such as alice@Org1MSP.
func (c *nodeConfig) memberNamed(as, otherwise string) (name, msp string, err error) {
	members := map[string]bool{}
	for _, o := range c.members() {
		members[o.MSPID] = true
	}
	name, msp, said := strings.Cut(as, "@")
	if as == "" {
		name = otherwise
	}
	if !said {
		msp = c.members()[0].MSPID
	}
	if !members[msp] {
		return "", "", unknown("organization", msp, members)
	}
	if err := checkClient(name); err != nil {
		return "", "", unknownError{err.Error()}
	}
	return name, msp, nil
}
