package kvledger

import (
	"encoding/json"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// indexJSON is an Index as JSON.
type indexJSON struct {
	Collection string       `json:"collection,omitempty"`
	Of         *mango.Index `json:"index"`
}

// MarshalJSON implements json.Marshaler. UnmarshalJSON makes an equal index of it.
func (x Index) MarshalJSON() ([]byte, error) {
	if x.of == nil {
		return nil, errors.New("marshal index: there is none")
	}
	return json.Marshal(indexJSON{x.Collection, x.of})
}

// UnmarshalJSON implements json.Unmarshaler for what MarshalJSON has made.
func (x *Index) UnmarshalJSON(b []byte) error {
	var in indexJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Of == nil {
		return errors.New("unmarshal index: there is none")
	}
	*x = Index{Collection: in.Collection, of: in.Of}
	return nil
}
