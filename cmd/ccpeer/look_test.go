package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// SHA-256 of k and of gold.
const (
	keyHash   = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"
	valueHash = "24d7f03d8dc3c3666969e6fa5bb1fac4736d3f1353c28307ed51b320f9dc42d3"
)

// TestLook looks at the ledger of a peer in every way that there is.
func TestLook(t *testing.T) {
	t.Parallel()
	s := servePeer(t, anyPort...)
	invoke := func(call string, more ...string) (txID string) {
		r := ccpeer(t, append([]string{"invoke", "-n", "probe", "-c", call, "--api", s.api}, more...)...)
		r.check(t, exitOK, "(VALID)")
		_, txID, _ = strings.Cut(r.stdout, "txid [")
		txID, _, _ = strings.Cut(txID, "]")
		return txID
	}
	invoke(`{"Args":["put","gone","x"]}`)
	wrote := invoke(`{"Args":["write"]}`)
	read := invoke(`{"Args":["read"]}`)
	conflict(t, s) // blocks 4 and 5
	told := invoke(`{"Args":["tell","blue"]}`, "--as", "alice")
	initial := invoke(`{"Args":[]}`, "-I")

	for _, c := range []struct {
		args   string // separated by |
		status int
		want   string
	}{
		{"block|2", exitOK, "block 2 of mychannel: 1 transaction, 1 valid\n  0  " + wrote + "  20"},
		{"block|newest", exitOK, "block 7 of mychannel: 1 transaction, 1 valid\n"},
		{"block|5", exitOK, "Z  MVCC_READ_CONFLICT  client@Org1MSP  probe meet\n  hash "},
		{"block|1", exitOK, "\n  previous "},
		{"tx|" + told, exitOK, `
  creator   alice@Org1MSP
  call      probe tell blue
  response  200 careful, told
  event     Told = blue
  endorser  peer0.Org1MSP@Org1MSP
`},
		{"tx|" + initial, exitOK, "\n  init      probe\n"},
		{"block|8", exitFailed, `there is no block 8 on channel "mychannel", which has 8 blocks, the newest with number 7`},
		{"block|-C|other", exitOK, "block 0 of other: 1 transaction, 1 valid\n"},
		{"block|0", exitOK, "Z  VALID  CONFIG\n  hash "},
		{"block|-C|mine", exitFailed, `channel "mine" is not known to this peer, which has: mychannel, other`},

		{"tx|" + wrote, exitOK, "transaction " + wrote + "\n  VALID, block 2 of mychannel, position 0, 20"},
		{"tx|" + wrote, exitOK, `
probe
  write     composite(owner, tom, a1) = 0x00
  write     bytes = 0x00ff
  delete    gone
  write     guarded = hello
  metadata  guarded: VALIDATION_PARAMETER=policy
probe, collection secrets, by hashes
  write  ` + keyHash + ` = ` + valueHash + `
`},
		{"tx|" + read, exitOK, `
probe
  read   absent (absent)
  range  composite(owner, tom) to composite(owner, tom, …): composite(owner, tom, a1) @2/0
  range  the start to the end: bytes @2/0, guarded @2/0
probe, collection secrets, by hashes
  read  ` + keyHash + ` @2/0
`},
		{"tx|nope", exitFailed, `there is no transaction "nope" on channel "mychannel", which has 8 blocks`},
		{"tx|nope|-C|mine", exitFailed, `channel "mine" is not known`},

		{"state|-n|probe|guarded", exitOK, "guarded of probe on mychannel\n  value     hello\n  version   block 2, transaction 0\n  metadata  VALIDATION_PARAMETER=policy\n"},
		{"state|-n|probe|bytes", exitOK, "  value    0x00ff\n"},
		{"state|-n|probe|--composite|owner|tom|a1", exitOK, "composite(owner, tom, a1) of probe on mychannel\n  value    0x00\n"},
		{"state|-n|probe|gone", exitOK, "  value  (deleted)\n  history, the newest first\n"},
		{"state|-n|probe|gone|--history|1", exitOK, "      (deleted)\n    and more: see --history\n"},
		{"state|-n|probe|nope", exitFailed, `there is no key nope of chaincode "probe" on channel "mychannel", which has 8 blocks`},
		{"state|-n|prob|m", exitFailed, `there is no key m of chaincode "prob"`},
		{"state|-n|probe|m|-C|mine", exitFailed, `channel "mine" is not known`},

		{`explain|-n|probe|{"selector":{"a":1}}`, exitOK, "_all_docs"},
		{`explain|-n|probe|--collection|secrets|{"selector":{"a":1}}`, exitOK, "matched with: {\"a\":{\"$eq\":1}}\n"},
		{`explain|-n|probe|{"selector":{},"sort":["a"]}`, exitFailed, "No index exists for this sort"},
		{`explain|-n|probe|{"selector":`, exitFailed, "decode query"},
		{`explain|-n|probe|{}|-C|mine`, exitFailed, `channel "mine" is not known`},
	} {
		t.Run(c.args, func(t *testing.T) {
			ccpeer(t, append(strings.Split(c.args, "|"), "--api", s.api)...).check(t, c.status, c.want)
		})
	}
	t.Run("JSON", func(t *testing.T) { lookAtJSON(t, s, wrote, read, told) })
	s.stop(t)
}

// lookAtJSON compares what --json prints with what is documented.
func lookAtJSON(t *testing.T, s *served, wrote, read, told string) {
	for args, want := range map[string]string{
		"block|2": `{"channel":"mychannel","height":8,"number":2,"hash":"HASH","previousHash":"HASH","dataHash":"HASH",
			"transactions":[{"block":2,"code":"VALID","timestamp":"TIME","tx":0,"txid":"` + wrote + `",
			"creator":{"commonName":"client","mspid":"Org1MSP"},"chaincode":"probe","function":"write"}]}`,
		"tx|" + wrote: `{"channel":"mychannel","txid":"` + wrote + `","block":2,"tx":0,"timestamp":"TIME","code":"VALID",
			"creator":{"commonName":"client","mspid":"Org1MSP"},"chaincode":"probe","chaincodeVersion":"1.0","function":"write",
			"args":[{"base64":"d3JpdGU=","text":"write"}],"response":{"status":200},"endorsers":[{"commonName":"peer0.Org1MSP","mspid":"Org1MSP"}],
			"rwset":[{
			"namespace":"probe",
			"writes":[
				{"key":"\u0000owner\u0000tom\u0000a1\u0000","value":{"base64":"AA==","text":"\u0000"}},
				{"key":"bytes","value":{"base64":"AP8="}},
				{"key":"gone","delete":true},
				{"key":"guarded","value":{"base64":"aGVsbG8=","text":"hello"}}],
			"metadataWrites":[{"key":"guarded","entries":{"VALIDATION_PARAMETER":{"base64":"cG9saWN5","text":"policy"}}}],
			"collections":[{"collection":"secrets","writes":[{"keyHash":"` + keyHash + `","valueHash":"` + valueHash + `"}],
				"privateRWSetHash":"6bf48a6abecca5a78a0157855411e09f679058dd62aeb5eb82d6f8ce99210d8c"}]}]}`,
		"tx|" + read: `{"channel":"mychannel","txid":"` + read + `","block":3,"tx":0,"timestamp":"TIME","code":"VALID",
			"creator":{"commonName":"client","mspid":"Org1MSP"},"chaincode":"probe","chaincodeVersion":"1.0","function":"read",
			"args":[{"base64":"cmVhZA==","text":"read"}],"response":{"status":200},"endorsers":[{"commonName":"peer0.Org1MSP","mspid":"Org1MSP"}],
			"rwset":[{
			"namespace":"probe",
			"reads":[{"key":"absent","version":null}],
			"ranges":[
				{"start":"\u0000owner\u0000tom\u0000","end":"\u0000owner\u0000tom\u0000\udbff\udfff","exhausted":true,
					"reads":[{"key":"\u0000owner\u0000tom\u0000a1\u0000","version":{"block":2,"tx":0}}]},
				{"start":"\u0001","end":"","exhausted":true,
					"reads":[{"key":"bytes","version":{"block":2,"tx":0}},{"key":"guarded","version":{"block":2,"tx":0}}]}],
			"collections":[{"collection":"secrets","reads":[{"keyHash":"` + keyHash + `","version":{"block":2,"tx":0}}]}]}]}`,
		"tx|" + told: `{"channel":"mychannel","txid":"` + told + `","block":6,"tx":0,"timestamp":"TIME","code":"VALID",
			"creator":{"commonName":"alice","mspid":"Org1MSP"},"chaincode":"probe","chaincodeVersion":"1.0","function":"tell",
			"args":[{"base64":"dGVsbA==","text":"tell"},{"base64":"Ymx1ZQ==","text":"blue"}],
			"response":{"status":200,"message":"careful","payload":{"base64":"dG9sZA==","text":"told"}},
			"event":{"chaincode":"probe","name":"Told","payload":{"base64":"Ymx1ZQ==","text":"blue"}},
			"endorsers":[{"commonName":"peer0.Org1MSP","mspid":"Org1MSP"}],"rwset":[]}`,
		"state|-n|probe|bytes": `{"channel":"mychannel","namespace":"probe","key":"bytes","value":{"base64":"AP8="},"version":{"block":2,"tx":0},
			"history":[{"timestamp":"TIME","txid":"` + wrote + `","value":{"base64":"AP8="}}]}`,
		"state|-n|probe|guarded|--history|0": `{"channel":"mychannel","namespace":"probe","key":"guarded","value":{"base64":"aGVsbG8=","text":"hello"},
			"version":{"block":2,"tx":0},"metadata":{"VALIDATION_PARAMETER":{"base64":"cG9saWN5","text":"policy"}},"history":[],"more":true}`,
		"state|-n|probe|gone|--history|1": `{"channel":"mychannel","namespace":"probe","key":"gone","value":null,"version":null,
			"history":[{"timestamp":"TIME","txid":"` + wrote + `","delete":true}],"more":true}`,
	} {
		r := ccpeer(t, append(strings.Split(args, "|"), "--json", "--api", s.api)...)
		r.check(t, exitOK, "{\n  ")
		if got, want := canonical(t, r.stdout), canonical(t, want); got != want {
			t.Errorf("%s prints\n%s\nwant\n%s", args, got, want)
		}
	}
}

// canonical is JSON with its members in order, TIME for times, and HASH for hashes of headers and envelopes.
func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	hideTimes(v)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func hideTimes(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			hideTimes(element)
		}
	case map[string]any:
		for name, member := range v {
			switch name {
			case "timestamp":
				v[name] = "TIME"
			case "hash", "previousHash", "dataHash":
				if len(member.(string)) == 64 {
					v[name] = "HASH"
				}
			}
			hideTimes(member)
		}
	}
}
