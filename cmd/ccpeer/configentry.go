package main

import (
	"os"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// chaincodeEntry is an entry of chaincodes while it is read.
type chaincodeEntry struct {
	chaincode
	name, version string
	definition    kvledger.Definition
}

func (n *nodeConfig) readChaincode(name string, v value) error {
	e := chaincodeEntry{name: name}
	if !isName(name) {
		return v.wrong("%s is no name of a chaincode: want "+nameForm, quote(name))
	}
	if err := e.read(v); err != nil {
		return err
	}
	for other, c := range n.chaincodes {
		if c.id == e.id {
			return v.wrong("it is the same package as chaincode %s: leave one of them out", quote(other))
		}
	}
	n.chaincodes[name] = e.chaincode
	if e.definition.Indexes != nil || e.definition.Collections != nil {
		n.definitions[name] = e.definition
	}
	return nil
}

func (e *chaincodeEntry) read(v value) error {
	if err := keys(e.keys())(v); err != nil {
		return err
	}
	return e.complete(v)
}

func (e *chaincodeEntry) keys() map[string]reader {
	return map[string]reader{
		"version":           intoText(&e.version),
		"runtime":           e.readRuntime,
		"restart":           e.readRestart,
		"pause":             intoDuration(&e.restart.Pause),
		"maxPause":          intoDuration(&e.restart.MaxPause),
		"indexes":           e.readIndexes,
		"collectionsConfig": e.readCollections,
	}
}

// complete looks at what the keys of a chaincode say together.
func (e *chaincodeEntry) complete(v value) error {
	p := e.restart
	switch {
	case e.process == nil && e.server == nil && e.pkg == nil && e.attach == "":
		return v.wrong("it has no runtime: want one, with " + runtimeForms)
	case !p.OnFailure && (p.Pause != 0 || p.MaxPause != 0):
		return v.wrong("pause and maxPause are for a chaincode with restart: on-failure")
	case p.MaxPause != 0 && p.Pause > p.MaxPause:
		return v.wrong("pause is %s, more than maxPause, which is %s", p.Pause, p.MaxPause)
	case e.pkg != nil && e.version != "":
		return v.wrong("version is %s, but the chaincode ID of a package is its package ID: leave version out", quote(e.version))
	case e.pkg != nil:
		e.id = e.pkg.ID
		return nil
	case e.version == "":
		e.version = defaultVersion
	}
	e.id = e.name + ":" + e.version
	if strings.Contains(e.version, ":") || handler.CheckChaincodeID(e.id) != nil {
		return v.wrong("version is %s: want letters, digits and + _ . -", quote(e.version))
	}
	return nil
}

func (e *chaincodeEntry) readRestart(v value) error {
	text, err := v.text()
	if err != nil {
		return err
	}
	switch text {
	case "never":
	case "on-failure":
		e.restart.OnFailure = true
	default:
		return v.wrong("%s: want never or on-failure", quote(text))
	}
	return nil
}

func (e *chaincodeEntry) readIndexes(v value) error {
	var dir string
	if err := intoPath(&dir)(v); err != nil {
		return err
	}
	var err error
	if e.definition.Indexes, err = loadIndexes(dir); err != nil {
		return v.wrong("%s", err)
	}
	return nil
}

func (e *chaincodeEntry) readCollections(v value) error {
	text, err := v.readFile()
	if err != nil {
		return err
	}
	if e.definition.Collections, err = collections.Parse(text); err != nil {
		return v.wrong("%s: %s", v.node.Value, err)
	}
	return nil
}

// readFile reads the file that a value names.
func (v value) readFile() ([]byte, error) {
	var path string
	if err := intoPath(&path)(v); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, v.wrong("%s", err)
	}
	return text, nil
}

// runtimeForms are what a chaincode's runtime may be.
const runtimeForms = "one of process: {command: PATH}, server: {connection: FILE} or {address: HOST:PORT}, with or without {command: PATH}, " +
	"package: {file: FILE}, and attach: {dir: FOLDER}"

// readRuntime reads how a chaincode is run.
func (e *chaincodeEntry) readRuntime(v value) error {
	if len(v.node.Content) != 2 {
		return v.wrong("%s: want %s", v.describe(), runtimeForms)
	}
	return keys(e.runtimeKeys())(v)
}

func (e *chaincodeEntry) runtimeKeys() map[string]reader {
	return map[string]reader{
		"process": e.readProcess,
		"server":  e.readServer,
		"package": e.readPackage,
		"attach":  e.readAttach,
	}
}

func (e *chaincodeEntry) readProcess(v value) error {
	e.process = &program{}
	err := keys(e.process.keys())(v)
	if err == nil && e.process.path == "" {
		return v.wrong("it has no command: give the path of the program, as command")
	}
	return err
}

// keys are those of a program that the peer starts.
func (p *program) keys() map[string]reader {
	return map[string]reader{
		"command": func(v value) error {
			if err := intoPath(&p.path)(v); err != nil {
				return err
			}
			if _, err := findProgram(p.path); err != nil {
				return v.wrong("%s", err)
			}
			return nil
		},
		"args": intoTexts(&p.args),
		"env": entries(func(name string, v value) error {
			if name == "" || strings.Contains(name, "=") || v.node.ShortTag() == "!!null" || len(v.node.Content) > 0 {
				return v.wrong("this is no variable: want NAME: text")
			}
			p.env = append(p.env, name+"="+v.node.Value)
			return nil
		}),
		"dir": intoPath(&p.dir),
	}
}

// serverEntry is the runtime of a chaincode that is a server, while it is read.
type serverEntry struct {
	dial    dial.Config
	from    value // what says where it listens
	places  int   // how often that is said
	program program
}

func (s *serverEntry) keys() map[string]reader {
	all := s.program.keys()
	all["address"] = func(v value) (err error) {
		s.from, s.places = v, s.places+1
		text, err := v.text()
		if err != nil {
			return err
		}
		s.dial.Address, err = v.setting(text).socket()
		return err
	}
	all["connection"] = func(v value) error {
		s.from, s.places = v, s.places+1
		text, err := v.readFile()
		if err != nil {
			return err
		}
		if s.dial, err = dial.ParseConnection(text); err != nil {
			return v.wrong("%s: %s", v.node.Value, err)
		}
		return nil
	}
	return all
}

func (e *chaincodeEntry) readServer(v value) error {
	s := serverEntry{dial: dial.Config{DialTimeout: dial.DefaultDialTimeout, RetryFor: dial.DefaultDialTimeout}}
	if err := keys(s.keys())(v); err != nil {
		return err
	}
	p := s.program
	switch {
	case s.places != 1:
		return v.wrong("want one of connection, which is Fabric's connection.json, and address")
	case p.path == "" && (p.args != nil || p.env != nil || p.dir != ""):
		return v.wrong("args, env and dir are for a server that the peer starts: give the path of its program, as command")
	}
	if _, err := dial.New(s.dial); err != nil {
		return s.from.wrong("%s (a connection.json, named as connection, can have certificates for TLS)", errors.Cause(err))
	}
	if p.path != "" {
		s.dial.RetryFor = 0 // as long as the launch may take, since it is known whether the server is still there
		e.process = &p
	}
	e.server = &s.dial
	return nil
}

func (e *chaincodeEntry) readPackage(v value) error {
	return keys(map[string]reader{"file": func(v value) error {
		text, err := v.readFile()
		if err != nil {
			return err
		}
		if e.pkg, err = builder.ParsePackage(strings.NewReader(string(text)), builder.Limits{}); err != nil {
			return v.wrong("%s: %s", v.node.Value, err)
		}
		return nil
	}})(v)
}

func (e *chaincodeEntry) readAttach(v value) error {
	if err := keys(map[string]reader{"dir": intoPath(&e.attach)})(v); err != nil {
		return err
	}
	if e.attach == "" {
		return v.wrong("it has no dir: give a folder for what whoever starts the chaincode needs, as dir")
	}
	return nil
}
