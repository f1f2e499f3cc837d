package identity

import (
	"crypto/x509"
	"encoding/json"

	"github.com/pkg/errors"
)

// Attributes returns the attributes that a CA has put into a certificate, in a new map, or nil if there are none. They are where
// Fabric's CA puts them.
func Attributes(cert *x509.Certificate) (map[string]string, error) {
	for _, extension := range cert.Extensions {
		if !extension.Id.Equal(attributesOID) {
			continue
		}
		var has struct {
			Attrs map[string]string `json:"attrs"`
		}
		if err := json.Unmarshal(extension.Value, &has); err != nil {
			return nil, errors.Wrap(err, "parse attributes")
		}
		return has.Attrs, nil
	}
	return nil, nil
}
