package network

import (
	"time"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// WriteTarget describes the network to clients, in a folder. Beside User1 and Admin, an organization has an identity whose
// certificate has expired (Expired), one that is a peer's (Peer), and one that has attributes: color is green (Green).
func (n *Network) WriteTarget(dir string) (path string, err error) {
	root := n.path("tls", "ca.pem")
	t := &target.Target{
		Channel: ChannelID,
		Orderer: target.Orderer{Address: n.Orderer(), ServerName: serverName, TLSRoot: root, MSPID: n.OrdererMSP.ID()},
	}
	if n.cfg.ClientCertificates {
		t.TLSClient = &target.User{Cert: n.path("tls", "cert.pem"), Key: n.path("tls", "key.pem")}
	}
	for _, cc := range n.cfg.Chaincodes {
		t.Chaincodes = append(t.Chaincodes, cc.Name)
	}
	for _, o := range n.Organizations {
		described := target.Organization{MSPID: o.MSP.ID(), Peer: o.Address(), ServerName: serverName, TLSRoot: root, Users: map[string]target.User{}}
		users, err := o.users()
		if err != nil {
			return "", err
		}
		for name, id := range users {
			if described.Users[name], err = target.WriteUser(dir, name, id); err != nil {
				return "", err
			}
		}
		t.Organizations = append(t.Organizations, described)
	}
	return t.Write(dir)
}

func (o *Organization) users() (map[string]*identity.Identity, error) {
	users := map[string]*identity.Identity{"User1": o.User, "Admin": o.Admin, "Peer": o.Peer}
	more, err := target.Identities(o.MSP, time.Now())
	for name, id := range more {
		users[name] = id
	}
	return users, err
}
