package policies

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A principal may be several others together: whoever belongs to it belongs to each of them (Fabric: msp, collectPrincipals). It
// is the bytes of a CombinedPrincipal, a list of principals, and these may be combined ones again, without a limit. So they are
// taken apart without recursion, and a list that is too long is nobody.

const (
	principalsField    = 1 // of CombinedPrincipal
	kindField          = 1 // of MSPPrincipal
	principalField     = 2
	anonymityTypeField = 1 // of MSPIdentityAnonymity
	nominal            = 0 // the type of those who are known by name, as everyone is who has a certificate
)

// combined returns the group of those who belong to all groups that b names. It is nobody if one of them is, or if there is none.
func combined(b []byte) identity.Principal {
	var all []identity.Principal
	for left, seen := [][]byte{b}, 0; len(left) > 0; {
		list, ok := combinedPrincipals(left[len(left)-1])
		left = left[:len(left)-1]
		if seen += len(list); !ok || len(list) == 0 || seen > maxRules {
			return identity.Principal{}
		}
		for _, p := range list {
			switch {
			case p.kind == pb.MSPPrincipal_COMBINED:
				left = append(left, p.principal)
			case p.kind == pb.MSPPrincipal_ANONYMITY && isNominal(p.principal):
			default:
				group := principalOf(&pb.MSPPrincipal{PrincipalClassification: p.kind, Principal: p.principal})
				if group == (identity.Principal{}) {
					return group
				}
				all = append(all, group)
			}
		}
	}
	return together(all)
}

// together returns the group of those who belong to all groups of a list, or nobody if the list is empty.
func together(all []identity.Principal) identity.Principal {
	var p identity.Principal
	for i, group := range slices.Backward(all) {
		if i < len(all)-1 {
			rest := p
			group.Also = &rest
		}
		p = group
	}
	return p
}

// sentPrincipal is an MSPPrincipal whose bytes are not copied: with each level of a million they would be copied again.
type sentPrincipal struct {
	kind      pb.MSPPrincipal_Classification
	principal []byte
}

// combinedPrincipals decodes a CombinedPrincipal.
func combinedPrincipals(b []byte) (list []sentPrincipal, ok bool) {
	ok = eachField(b, func(number protowire.Number, typ protowire.Type, value []byte) bool {
		if number != principalsField || typ != protowire.BytesType {
			return true
		}
		one, _ := protowire.ConsumeBytes(value)
		var p sentPrincipal
		valid := eachField(one, func(number protowire.Number, typ protowire.Type, value []byte) bool {
			switch {
			case number == kindField && typ == protowire.VarintType:
				kind, _ := protowire.ConsumeVarint(value)
				p.kind = pb.MSPPrincipal_Classification(kind) //nolint:gosec // as protobuf decodes an enum
			case number == principalField && typ == protowire.BytesType:
				p.principal, _ = protowire.ConsumeBytes(value)
			}
			return true
		})
		list = append(list, p)
		return valid
	})
	return list, ok
}

// eachField calls do with each field of a message, until it returns false. It returns false then, and if b is no message.
func eachField(b []byte, do func(number protowire.Number, typ protowire.Type, value []byte) bool) bool {
	for len(b) > 0 {
		number, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return false
		}
		n := protowire.ConsumeFieldValue(number, typ, b[tag:])
		if n < 0 || !do(number, typ, b[tag:tag+n]) {
			return false
		}
		b = b[tag+n:]
	}
	return true
}

// isNominal reports whether b is an MSPIdentityAnonymity of those who are known by name.
func isNominal(b []byte) bool {
	kind := uint64(nominal)
	return eachField(b, func(number protowire.Number, typ protowire.Type, value []byte) bool {
		if number == anonymityTypeField && typ == protowire.VarintType {
			kind, _ = protowire.ConsumeVarint(value)
		}
		return true
	}) && int32(kind) == nominal //nolint:gosec // as protobuf decodes an enum
}

// combinedMessage returns the principal that is all groups of p together.
func combinedMessage(p identity.Principal) (*pb.MSPPrincipal, error) {
	var b []byte
	for part := &p; part != nil; part = part.Also {
		alone := *part
		alone.Also = nil
		m, err := principalMessage(alone)
		if err != nil {
			return nil, err
		}
		one, err := proto.Marshal(m)
		if err != nil {
			return nil, err
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, principalsField, protowire.BytesType), one)
	}
	return &pb.MSPPrincipal{PrincipalClassification: pb.MSPPrincipal_COMBINED, Principal: b}, nil
}
