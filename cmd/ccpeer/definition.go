package main

import (
	"os"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// definitionHelp is about --indexes and --collections-config.
const definitionHelp = `--indexes and --collections-config define chaincodes, on every channel. The ledger keeps what they say: a chaincode that
neither names stays as it is defined there. One that is not defined may use any collection of private data. One that
is may use those of its --collections-config, as their policies allow it to the organization of its peer; without the flag, none.`

// parseDefinitions reads the files that --indexes and --collections-config name.
func parseDefinitions(indexes, configs []string) (map[string]kvledger.Definition, error) {
	definitions := map[string]kvledger.Definition{}
	indexFolders, err := parseNamed("--indexes", "folder", indexes)
	if err != nil {
		return nil, err
	}
	configFiles, err := parseNamed("--collections-config", "file", configs)
	if err != nil {
		return nil, err
	}
	for name, dir := range indexFolders {
		d := definitions[name]
		if d.Indexes, err = loadIndexes(dir); err != nil {
			return nil, errors.WithMessagef(err, "indexes of chaincode %q", name)
		}
		definitions[name] = d
	}
	for name, file := range configFiles {
		d := definitions[name]
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, errors.Wrapf(err, "collections of chaincode %q", name)
		}
		if d.Collections, err = collections.Parse(text); err != nil {
			return nil, errors.WithMessagef(err, "collections of chaincode %q: %s", name, file)
		}
		definitions[name] = d
	}
	return definitions, nil
}

// loadIndexes loads the indexes of the chaincode in a folder, of which there must be some.
func loadIndexes(dir string) ([]kvledger.Index, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	indexes, err := kvledger.LoadIndexes(os.DirFS(dir))
	if err != nil {
		return nil, errors.WithMessage(err, dir)
	}
	if len(indexes) == 0 {
		return nil, errors.Errorf("%s has no index: want files META-INF/statedb/couchdb/indexes/*.json in it", dir)
	}
	return indexes, nil
}

// parseNamed reads the values of a flag that is given once for each chaincode.
func parseNamed(flag, what string, values []string) (map[string]string, error) {
	named := map[string]string{}
	for _, s := range values {
		name, path, _ := strings.Cut(s, "=")
		if path == "" || !isName(name) {
			return nil, usagef("%s %s: want name=%s, with the name of a chaincode", flag, quote(s), what)
		}
		if _, ok := named[name]; ok {
			return nil, usagef("%s %s: there are two of that name", flag, quote(s))
		}
		named[name] = path
	}
	return named, nil
}
