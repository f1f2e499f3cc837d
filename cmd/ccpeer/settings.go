package main

import (
	"io"

	"github.com/pkg/errors"
)

// settings are what ccpeer serve is told. Its texts have not been looked at yet, as what they may be depends on others.
type settings struct {
	listen, advertise, api, ledger, logLevel, outputLevel setting
	gateway, gatewayTLS                                   setting
	node                                                  nodeConfig
}

// serving is what ccpeer serve does.
type serving struct {
	node nodeConfig
	api  address
}

type serveFlags struct {
	config                                                string
	listen, advertise, api, ledger, logLevel, outputLevel string
	gateway, gatewayTLS                                   string
	channels                                              []string
	chaincodes, indexes, collections, organizations       []string
	plaintext, dev                                        bool
}

// load reads the flags and what they name; changed says whether one was given. What a flag says goes before what the
// configuration file says.
func (f *serveFlags) load(changed func(flag string) bool, stderr io.Writer) (*serving, error) {
	for _, name := range []string{"chaincode", "indexes", "collections-config"} {
		if f.config != "" && changed(name) {
			return nil, usagef("--%s and --config exclude each other: say it in %s, under chaincodes", name, f.config)
		}
	}
	s, err := f.settings()
	if err != nil {
		return nil, err
	}
	if f.config != "" {
		if err := f.merge(s, changed); err != nil {
			return nil, err
		}
	}
	switch {
	case len(s.node.channels) == 0:
		return nil, usagef("-C is empty: name a channel")
	case s.node.dev && changed("plaintext") && !f.plaintext:
		return nil, usagef("--plaintext=false: chaincode that connects by itself in dev mode has no certificate, so that is plaintext")
	}
	return s.check(stderr)
}

// settings reads the flags.
func (f *serveFlags) settings() (s *settings, err error) {
	s = &settings{
		listen:      flagSetting("listen", f.listen),
		advertise:   flagSetting("advertise", f.advertise),
		api:         flagSetting("api", f.api),
		ledger:      flagSetting("ledger", f.ledger),
		logLevel:    flagSetting("log-level", f.logLevel),
		outputLevel: flagSetting("output-level", f.outputLevel),
		gateway:     flagSetting("gateway", f.gateway),
		gatewayTLS:  flagSetting("gateway-tls", f.gatewayTLS),
		node:        nodeConfig{channels: f.channels, plaintext: f.plaintext, dev: f.dev},
	}
	if s.node.organizations, err = parseOrganizations(f.organizations); err != nil {
		return nil, usagef("--organization %s", err)
	}
	if s.node.definitions, err = parseDefinitions(f.indexes, f.collections); err != nil {
		return nil, err
	}
	s.node.chaincodes, err = parseChaincodes(f.chaincodes)
	return s, err
}

// merge adds to the settings of the flags what the configuration file has.
func (f *serveFlags) merge(s *settings, changed func(flag string) bool) error {
	file, err := readConfig(f.config)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		flag       string
		mine, file *setting
	}{
		{"listen", &s.listen, &file.listen},
		{"advertise", &s.advertise, &file.advertise},
		{"api", &s.api, &file.api},
		{"ledger", &s.ledger, &file.ledger},
		{"log-level", &s.logLevel, &file.logLevel},
		{"output-level", &s.outputLevel, &file.outputLevel},
		{"gateway", &s.gateway, &file.gateway},
		{"gateway-tls", &s.gatewayTLS, &file.gatewayTLS},
	} {
		if !changed(m.flag) && m.file.from != "" {
			*m.mine = *m.file
		}
	}
	mine := s.node
	s.node = file.node
	if changed("channelID") || len(file.node.channels) == 0 {
		s.node.channels = mine.channels
	}
	if changed("organization") || len(file.node.organizations) == 0 {
		s.node.organizations = mine.organizations
	}
	if changed("plaintext") {
		s.node.plaintext = mine.plaintext
	}
	if changed("dev") {
		s.node.dev = mine.dev
	}
	return nil
}

// check makes of the settings what they mean.
func (s *settings) check(stderr io.Writer) (*serving, error) {
	r := &serving{node: s.node}
	cfg := &r.node
	cfg.plaintext = cfg.plaintext || cfg.dev // who connects by itself has no certificate
	var err error
	if r.api, err = s.api.address(parseLocalAddress); err != nil {
		return nil, err
	}
	if cfg.log, err = newLogger(stderr, s.logLevel); err != nil {
		return nil, err
	}
	if cfg.outputLevel, err = parseLevel(s.outputLevel); err != nil {
		return nil, err
	}
	if cfg.ledger, err = parseLedger(s.ledger, "peer"); err != nil {
		return nil, err
	}
	if err := s.checkListening(cfg); err != nil {
		return nil, err
	}
	if cfg.gateway, err = parseGateway(s.gateway, s.gatewayTLS); err != nil {
		return nil, err
	}
	if err := cfg.checkGateway(); err != nil {
		return nil, s.gateway.wrong("%s", err)
	}
	if err := cfg.checkAttached(); err != nil {
		return nil, err
	}
	if err := cfg.checkPeers(); err != nil {
		return nil, err
	}
	if len(cfg.chaincodes) > 0 {
		return r, nil
	}
	cfg.chaincodes, err = findChaincodes("")
	if cfg.dev {
		return r, nil // has those that were found
	}
	return r, err
}

// checkListening reads where the peer listens for chaincode.
func (s *settings) checkListening(cfg *nodeConfig) (err error) {
	if cfg.listen, err = s.listen.address(parseAddress); err != nil {
		return err
	}
	if s.advertise.text != "" {
		if cfg.advertise, err = parseAdvertised(s.advertise.text); err != nil {
			return s.advertise.wrong("%s", err)
		}
	}
	listen, advertise := cfg.checkListening()
	switch {
	case listen != nil:
		return s.listen.wrong("%s", listen)
	case advertise != nil:
		return s.advertise.wrong("%s", advertise)
	}
	return nil
}

// checkAttached refuses to take anybody for a chaincode unless that was asked for.
func (c *nodeConfig) checkAttached() error {
	for name, e := range c.chaincodes {
		if e.attach != "" && c.plaintext && !c.dev {
			return errors.Errorf("chaincode %s has the runtime attach, but in plaintext it can't prove that it is the one: "+
				"leave plaintext out, or say dev: true, with which anybody on this machine can be it", quote(name))
		}
	}
	return nil
}
