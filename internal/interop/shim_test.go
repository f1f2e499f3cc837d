package interop_test

import (
	"reflect"
	"testing"

	official "github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/ccpeer/ccpeer/shim"
)

// TestOwnShim compares the stub of this library's own shim with the official one, method by method: a chaincode switches
// by changing its imports. Types of messages are compared by name, as they are each shim's own.
func TestOwnShim(t *testing.T) {
	own, theirs := reflect.TypeFor[shim.ChaincodeStubInterface](), reflect.TypeFor[official.ChaincodeStubInterface]()
	for m := range theirs.Methods() {
		mine, ok := own.MethodByName(m.Name)
		if !ok {
			t.Errorf("%s is missing", m.Name)
			continue
		}
		if got, want := signature(mine.Type), signature(m.Type); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is func%v, want func%v", m.Name, got, want)
		}
	}
	if own.NumMethod() != theirs.NumMethod() {
		t.Errorf("%d methods, want %d", own.NumMethod(), theirs.NumMethod())
	}
}

// signature returns the types of a method's parameters and results, without their packages.
func signature(f reflect.Type) [2][]string {
	var types [2][]string
	for in := range f.Ins() {
		types[0] = append(types[0], typeName(in))
	}
	for out := range f.Outs() {
		types[1] = append(types[1], typeName(out))
	}
	return types
}

func typeName(t reflect.Type) string {
	switch {
	case t.Name() != "":
		return t.Name()
	case t.Kind() == reflect.Pointer:
		return "*" + typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}
