package chaincodesupport_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

// stubStep is a transaction: what chaincode does with the stub, and what comes of it.
type stubStep struct {
	name string
	do   func(stub) (any, error)
	want string
}

// TestStub runs our own shim's requests on the reference ledger, step by step: each one sees what those before it have
// committed.
func TestStub(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  chaincodesupport.Config
	}{
		{"offers", chaincodesupport.Config{}},
		{"no offers", chaincodesupport.Config{Limits: handler.Limits{Offer: handler.Offer{WriteBatch: -1, MultipleKeys: -1}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.cfg.CollectionStore = handler.InsecureAllowAll{}
				n := newNetwork(t, test.cfg, map[string]function{"stub": playStep})
				for i, step := range stubSteps {
					n.wantResult("stub", fmt.Sprintf("t%d", i), 200, step.want, step.name)
				}
			})
		})
	}
}

// playStep is the chaincode: its argument names the step.
func playStep(s stub) *shim.Response {
	for _, step := range stubSteps {
		if step.name != s.GetStringArgs()[0] {
			continue
		}
		got, err := step.do(s)
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success([]byte(fmt.Sprint(got)))
	}
	return shim.Error("no such step")
}

// write is a step that returns nothing.
func write(f func(stub) error) func(stub) (any, error) {
	return func(s stub) (any, error) { return "", f(s) }
}

// all makes the first error of several calls that of one.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// texts shows values.
func texts(values [][]byte, err error) (any, error) { return fmt.Sprintf("%q", values), err }

func text(value []byte, err error) (any, error) { return string(value), err }

// read shows what an iterator yields.
func read(it shim.StateQueryIteratorInterface, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var found []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		found = append(found, kv.Key+"="+string(kv.Value))
	}
	return strings.Join(found, " "), it.Close()
}

var stubSteps = []stubStep{
	{"write", write(func(s stub) error {
		return all(
			s.PutState("a", []byte(`{"color":"red","size":1}`)),
			s.PutState("b", []byte(`{"color":"blue","size":2}`)),
			s.PutState("c", []byte(`{"color":"red","size":3}`)),
			s.PutPrivateData("c1", "p", []byte(`{"color":"red"}`)),
			s.PutPrivateData("c1", "q", []byte(`{"color":"blue"}`)),
			s.PutPrivateData("c2", "p", []byte("other")),
		)
	}), ""},
	{"many", func(s stub) (any, error) { return texts(s.GetMultipleStates("b", "absent", "b")) },
		`["{\"color\":\"blue\",\"size\":2}" "" "{\"color\":\"blue\",\"size\":2}"]`},
	{"query", func(s stub) (any, error) { return read(s.GetQueryResult(`{"selector":{"color":"red"}}`)) },
		`a={"color":"red","size":1} c={"color":"red","size":3}`},
	{"query page", func(s stub) (any, error) {
		var pages []string
		for bookmark := ""; ; {
			it, page, err := s.GetQueryResultWithPagination(`{"selector":{"size":{"$gt":0}}}`, 2, bookmark)
			if err != nil {
				return nil, err
			}
			states, err := read(it, nil)
			if err != nil || page.FetchedRecordsCount == 0 {
				return strings.Join(pages, " | "), err
			}
			pages = append(pages, fmt.Sprintf("%d: %s", page.FetchedRecordsCount, states))
			if page.FetchedRecordsCount < 2 {
				return strings.Join(pages, " | "), nil
			}
			bookmark = page.Bookmark
		}
	}, `2: a={"color":"red","size":1} b={"color":"blue","size":2} | 1: c={"color":"red","size":3}`},
	{"private", func(s stub) (any, error) { return text(s.GetPrivateData("c1", "p")) }, `{"color":"red"}`},
	{"private of another collection", func(s stub) (any, error) { return text(s.GetPrivateData("c2", "p")) }, "other"},
	{"private hash", func(s stub) (any, error) {
		hash, err := s.GetPrivateDataHash("c2", "p")
		return hex.EncodeToString(hash), err
	}, "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"},
	{"private many", func(s stub) (any, error) { return texts(s.GetMultiplePrivateData("c1", "q", "absent")) }, `["{\"color\":\"blue\"}" ""]`},
	{"private range", func(s stub) (any, error) { return read(s.GetPrivateDataByRange("c1", "", "")) },
		`p={"color":"red"} q={"color":"blue"}`},
	{"private query", func(s stub) (any, error) {
		return read(s.GetPrivateDataQueryResult("c1", `{"selector":{"color":"blue"}}`))
	},
		`q={"color":"blue"}`},
	{"policy", write(func(s stub) error {
		return all(s.SetStateValidationParameter("a", []byte("mine")), s.SetPrivateDataValidationParameter("c1", "p", []byte("ours")))
	}), ""},
	{"policy of state", func(s stub) (any, error) { return text(s.GetStateValidationParameter("a")) }, "mine"},
	{"policy of private data", func(s stub) (any, error) { return text(s.GetPrivateDataValidationParameter("c1", "p")) }, "ours"},
	{"no policy", func(s stub) (any, error) { return text(s.GetStateValidationParameter("b")) }, ""},
	{"batch", func(s stub) (any, error) {
		s.StartWriteBatch()
		err := all(
			s.PutState("a", []byte("1")), s.PutState("a", []byte("2")), s.DelState("b"),
			s.DelPrivateData("c1", "q"), s.PurgePrivateData("c1", "p"), s.PutPrivateData("c2", "r", []byte("3")),
		)
		if err != nil {
			return nil, err
		}
		before, err := s.GetState("a")
		return string(before), all(err, s.FinishWriteBatch())
	}, `{"color":"red","size":1}`},
	{"after the batch", func(s stub) (any, error) { return texts(s.GetMultipleStates("a", "b", "c")) },
		`["2" "" "{\"color\":\"red\",\"size\":3}"]`},
	{"private after the batch", func(s stub) (any, error) { return read(s.GetPrivateDataByRange("c1", "", "")) }, ""},
	{"other private after the batch", func(s stub) (any, error) { return read(s.GetPrivateDataByRange("c2", "", "")) }, "p=other r=3"},
	{"bad record in a batch", func(s stub) (any, error) {
		s.StartWriteBatch()
		if err := all(s.PutState("x", []byte("1")), s.PutState("\x00\U0010ffffinitialized", []byte("2"))); err != nil {
			return err.Error()[strings.LastIndex(err.Error(), ": ")+2:], nil
		}
		err := s.FinishWriteBatch()
		if err == nil {
			return "no error", nil
		}
		return err.Error()[strings.LastIndex(err.Error(), ": ")+2:], nil
	}, `key "\x00\U0010ffffinitialized" is reserved for the peer, use another one`},
	{"nobody", func(s stub) (any, error) {
		_, err := cid.GetMSPID(s)
		return err != nil, nil
	}, "true"},
}
