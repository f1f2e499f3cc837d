package kvledger

import (
	"strconv"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ValidationCode says what became of a transaction. The numbers and names are those of Fabric's TxValidationCode.
type ValidationCode int32

// The codes that Fabric's peers give. The ledger itself gives Valid, DuplicateTxID, MVCCReadConflict, PhantomReadConflict, BadRWSet
// and InvalidWriteSet. The others are found out by whoever looks at envelopes before it commits them: package peer/committer.
const (
	// Valid says that the transaction's writes are committed. With every other code they are not.
	Valid ValidationCode = 0
	// BadPayload says that the envelope's payload can't be decoded.
	BadPayload ValidationCode = 2
	// BadCommonHeader says that a header is missing, can't be decoded, or has something in it that isn't allowed.
	BadCommonHeader ValidationCode = 3
	// BadCreatorSignature says that the creator is not a member of the channel, or that the envelope's signature is not the creator's.
	BadCreatorSignature ValidationCode = 4
	// InvalidEndorserTransaction says that there is not exactly one action, or that what was endorsed is another proposal.
	InvalidEndorserTransaction ValidationCode = 5
	// InvalidConfigTransaction says that the transaction is to change the channel's configuration, and can't.
	InvalidConfigTransaction ValidationCode = 6
	// UnsupportedTxPayload says that the header's type is one that doesn't stand in blocks.
	UnsupportedTxPayload ValidationCode = 7
	// BadProposalTxID says that the transaction's ID doesn't follow from nonce and creator.
	BadProposalTxID ValidationCode = 8
	// DuplicateTxID says that a transaction with this ID was committed before, validly or not.
	DuplicateTxID ValidationCode = 9
	// EndorsementPolicyFailure says that the transaction lacks an endorsement that it needs.
	EndorsementPolicyFailure ValidationCode = 10
	// MVCCReadConflict says that a key that the transaction read has changed since.
	MVCCReadConflict ValidationCode = 11
	// PhantomReadConflict says that a range that the transaction read has changed since.
	PhantomReadConflict ValidationCode = 12
	// TargetChainNotFound says that the transaction is of another channel.
	TargetChainNotFound ValidationCode = 14
	// BadHeaderExtension says that the channel header's extension can't be decoded.
	BadHeaderExtension ValidationCode = 19
	// BadResponsePayload says that what the chaincode has done is missing, or can't be decoded.
	BadResponsePayload ValidationCode = 21
	// BadRWSet says that the read/write set can't be decoded.
	BadRWSet ValidationCode = 22
	// IllegalWriteSet says that the read/write set has a namespace twice.
	IllegalWriteSet ValidationCode = 23
	// InvalidWriteSet says that the transaction writes a key that nobody may write.
	InvalidWriteSet ValidationCode = 24
	// InvalidChaincode says that the transaction names its chaincode in two ways, or writes to one that the channel doesn't have.
	InvalidChaincode ValidationCode = 25
	// InvalidOtherReason is for reasons that have no other code.
	InvalidOtherReason ValidationCode = 255
)

// String returns Fabric's name of the code, also of those that nobody here gives.
func (c ValidationCode) String() string {
	if name, ok := pb.TxValidationCode_name[int32(c)]; ok {
		return name
	}
	return "code " + strconv.Itoa(int(c))
}
