package kvledger

import "strconv"

// ValidationCode says what became of a transaction. The numbers and names are those of Fabric's TxValidationCode.
type ValidationCode int32

const (
	// Valid says that the transaction's writes are committed. With every other code they are not.
	Valid ValidationCode = 0
	// DuplicateTxID says that a transaction with this ID was committed before, validly or not.
	DuplicateTxID ValidationCode = 9
	// EndorsementPolicyFailure says that the transaction lacks an endorsement that it needs. Only a caller of Commit can
	// find that out.
	EndorsementPolicyFailure ValidationCode = 10
	// MVCCReadConflict says that a key that the transaction read has changed since.
	MVCCReadConflict ValidationCode = 11
	// PhantomReadConflict says that a range that the transaction read has changed since.
	PhantomReadConflict ValidationCode = 12
	// BadRWSet says that the read/write set can't be decoded.
	BadRWSet ValidationCode = 22
	// InvalidWriteSet says that the transaction writes a key that nobody may write.
	InvalidWriteSet ValidationCode = 24
	// InvalidOtherReason is for reasons that have no other code. The ledger itself never gives it.
	InvalidOtherReason ValidationCode = 255
)

// String returns Fabric's name of the code.
func (c ValidationCode) String() string {
	switch c {
	case Valid:
		return "VALID"
	case DuplicateTxID:
		return "DUPLICATE_TXID"
	case EndorsementPolicyFailure:
		return "ENDORSEMENT_POLICY_FAILURE"
	case MVCCReadConflict:
		return "MVCC_READ_CONFLICT"
	case PhantomReadConflict:
		return "PHANTOM_READ_CONFLICT"
	case BadRWSet:
		return "BAD_RWSET"
	case InvalidWriteSet:
		return "INVALID_WRITESET"
	case InvalidOtherReason:
		return "INVALID_OTHER_REASON"
	default:
		return "code " + strconv.Itoa(int(c))
	}
}
