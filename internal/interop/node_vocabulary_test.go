package interop_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNodeVocabulary checks that each method of the Node stub, which its declaration for TypeScript lists, is called in
// the shim's conversations.
func TestNodeVocabulary(t *testing.T) {
	install(t)
	for project, conversations := range map[string]string{"shim25": "node.txt", "shim22": "node22.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", conversations))
		if err != nil {
			t.Fatal(err)
		}
		asked := regexp.MustCompile(`(?m)^(invoke|noproposal) .*$`).FindAllString(string(b), -1)
		words := strings.Fields(strings.Join(asked, " "))
		methods := nodeStubMethods(t, project)
		if len(methods) < 35 {
			t.Errorf("%s: the stub has the methods %q, want more", project, methods)
		}
		for _, m := range methods {
			if !slices.Contains(words, callOf(m)) {
				t.Errorf("%s of %s is not called in %s", m, project, conversations)
			}
		}
	}
}

// nodeStubMethods are those of a shim's ChaincodeStub.
func nodeStubMethods(t *testing.T, project string) []string {
	b, err := os.ReadFile(filepath.Join(projectDir(t, project), "node_modules", "fabric-shim", "types", "index.d.ts"))
	if err != nil {
		t.Fatal(err)
	}
	_, stub, _ := strings.Cut(string(b), "class ChaincodeStub ")
	stub, _, _ = strings.Cut(stub, "\n    }\n")
	var methods []string
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+)\(`).FindAllStringSubmatch(stub, -1) {
		methods = append(methods, m[1])
	}
	return methods
}

// callOf is the call that calls a method of the Node stub. Those that the Go stub has, too, have its name.
func callOf(method string) string {
	switch method {
	case "getFunctionAndParameters":
		return "GetFunction"
	case "getSignedProposal":
		return "GetProposal"
	case "getMspID":
		return "GetMSPID"
	case "deleteState":
		return "DelState"
	case "deletePrivateData":
		return "DelPrivateData"
	}
	return strings.ToUpper(method[:1]) + method[1:]
}
