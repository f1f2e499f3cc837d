package peer

import (
	"maps"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/tlsca"
	pb "github.com/ccpeer/ccpeer/proto"
)

// organization is an organization whose CA the network is.
type organization struct {
	msp    *identity.MSP
	tls    *tlsca.CA
	folder folder // its own, or ""

	mu      sync.Mutex
	clients map[string]*identity.Identity // by their names
	pairs   map[string]tlsca.Pair         // TLS certificates, by the places where a folder would have them
}

// Client returns the identity of a client, such as alice@Org1MSP. It is made if it isn't there, with attributes that chaincode can
// see. After that it is always the same, so the attributes must be the same or nil. Without an @ it is of the first organization.
// Whoever is called admin or Admin is an administrator.
func (n *Network) Client(name string, attributes map[string]string) (*identity.Identity, error) {
	who, o, err := n.organizations.ofClient(name)
	if err != nil {
		return nil, errors.WithMessagef(err, "client %q", name)
	}
	id, err := o.client(who, attributes)
	return id, errors.WithMessagef(err, "client %q", name)
}

// organizations are those of a network.
type organizations []*organization

// of returns the organization with an MSP, or nil.
func (all organizations) of(mspID string) *organization {
	for _, o := range all {
		if o.msp.ID() == mspID {
			return o
		}
	}
	return nil
}

// ofClient takes a client's name apart: who of which organization.
func (all organizations) ofClient(name string) (who string, of *organization, err error) {
	who, mspID, said := cutLast(name, "@")
	if !said {
		mspID = all[0].msp.ID()
	}
	if of = all.of(mspID); of == nil {
		return "", nil, errors.Errorf("the network has no organization %q", mspID)
	}
	return who, of, nil
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (o *organization) client(name string, attributes map[string]string) (*identity.Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := o.clients[name]
	if id == nil {
		role := identity.Client
		if strings.EqualFold(name, "admin") {
			role = identity.Admin
		}
		var err error
		if id, err = o.member("users", name, identity.Config{CommonName: name, OUs: []string{string(role)}, Attributes: attributes}); err != nil {
			return nil, err
		}
		o.clients[name] = id
	}
	if attributes == nil {
		return id, nil
	}
	has, err := identity.Attributes(id.Certificate())
	if err != nil {
		return nil, err
	}
	if !maps.Equal(has, attributes) {
		return nil, errors.Errorf("it has the attributes %v already, and can't have %v: choose another name", has, attributes)
	}
	return id, nil
}

// mspIDOf returns the ID of the MSP that a creator says it is of, or "".
func mspIDOf(creator []byte) string {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return ""
	}
	return id.GetMspid()
}
