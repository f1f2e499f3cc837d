package shim

import (
	"math"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// leastMost is the least that a peer means when it limits how much one request may hold. Fabric's shim takes smaller
// figures, and none, for this one.
const leastMost = 100

// offers is what a peer can do beyond what all of them can. The zero value is an older peer's.
type offers struct {
	writeBatch  int // writes that one WRITE_BATCH_STATE may hold; 0: not offered
	getMultiple int // keys that one GET_STATE_MULTIPLE may hold; 0: not offered
}

// parseOffers reads READY's payload, which is empty from peers that offer nothing.
func parseOffers(payload []byte) (offers, error) {
	var params pb.ChaincodeAdditionalParams
	if err := proto.Unmarshal(payload, &params); err != nil {
		return offers{}, errors.Wrap(err, "unmarshal READY")
	}
	var o offers
	if params.GetUseWriteBatch() {
		o.writeBatch = limit(params.GetMaxSizeWriteBatch())
	}
	if params.GetUseGetMultipleKeys() {
		o.getMultiple = limit(params.GetMaxSizeGetMultipleKeys())
	}
	return o, nil
}

func limit(most uint32) int { return int(min(max(most, leastMost), math.MaxInt32)) }
