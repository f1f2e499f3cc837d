package target

import (
	"time"

	"github.com/ccpeer/ccpeer/identity"
)

// Identities are identities of an organization that few clients have: Expired, whose certificate has expired, and Green, whose
// certificate has attributes.
func Identities(msp *identity.MSP, now time.Time) (map[string]*identity.Identity, error) {
	issued := map[string]*identity.Identity{}
	for name, cfg := range map[string]identity.Config{
		"Expired": {CommonName: "expired", NotBefore: now.Add(-50 * time.Minute), NotAfter: now.Add(-time.Minute)},
		"Green":   {CommonName: "green", Attributes: map[string]string{"color": "green"}},
	} {
		id, err := msp.Issue(cfg)
		if err != nil {
			return nil, err
		}
		issued[name] = id
	}
	return issued, nil
}
