package main

import (
	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/server"
)

// readConfig reads a configuration file. What it doesn't say is zero.
func readConfig(file string) (*settings, error) {
	s := &settings{}
	return s, readYAML(file, s.read)
}

// read reads a configuration.
func (s *settings) read(v value) error {
	n := &s.node
	n.chaincodes, n.definitions = map[string]chaincode{}, map[string]kvledger.Definition{}
	if err := keys(s.keys())(v); err != nil {
		return err
	}
	return n.checkPackages(v)
}

func (s *settings) keys() map[string]reader {
	n := &s.node
	return map[string]reader{
		"listen":        intoSetting(&s.listen),
		"advertise":     intoSetting(&s.advertise),
		"api":           intoSetting(&s.api),
		"gateway":       intoSetting(&s.gateway),
		"gatewayTLS":    intoSetting(&s.gatewayTLS),
		"ledger":        intoSetting(&s.ledger),
		"logLevel":      intoSetting(&s.logLevel),
		"outputLevel":   intoSetting(&s.outputLevel),
		"channels":      nonEmpty(intoTexts(&n.channels)),
		"organizations": nonEmpty(n.readOrganizations),
		"plaintext":     intoBool(&n.plaintext),
		"dev":           intoBool(&n.dev),
		"limits":        keys(limitKeys(&n.support)),
		"gatewayLimits": keys(gatewayLimitKeys(&n.gatewayLimits)),
		"builds":        intoPath(&n.builds),
		"builders":      list(n.readBuilder),
		"chaincodes":    entries(n.readChaincode),
	}
}

// nonEmpty reads a list with something in it.
func nonEmpty(read reader) reader {
	return func(v value) error {
		if len(v.node.Content) == 0 {
			return v.wrong("%s: want a list with one element or more", v.describe())
		}
		return read(v)
	}
}

func (n *nodeConfig) readOrganizations(v value) error {
	var texts []string
	if err := intoTexts(&texts)(v); err != nil {
		return err
	}
	var err error
	if n.organizations, err = parseOrganizations(texts); err != nil {
		return v.wrong("%s", err)
	}
	return nil
}

func limitKeys(c *chaincodesupport.Config) map[string]reader {
	return map[string]reader{
		"executeTimeout":          intoDuration(&c.ExecuteTimeout),
		"startupTimeout":          intoDuration(&c.StartupTimeout),
		"registerTimeout":         intoDuration(&c.RegisterTimeout),
		"stopTimeout":             intoDuration(&c.StopTimeout),
		"sendTimeout":             intoDuration(&c.SendTimeout),
		"maxStreams":              intoCount(&c.MaxStreams),
		"maxStreamsPerConnection": intoCount(&c.MaxStreamsPerConnection),
		"maxStreamsPerIdentity":   intoCount(&c.MaxStreamsPerIdentity),
		"maxConnections":          intoCount(&c.MaxConnections),
		"maxInFlight":             intoCount(&c.MaxInFlight),
		"maxBytes":                intoSize(&c.MaxBytes),
		"maxTransactionBytes":     intoSize(&c.MaxTransactionBytes),
		"maxEventBytes":           intoSize(&c.MaxEventBytes),
		"maxPageBytes":            intoSize(&c.MaxPageBytes),
		"maxRecvMsgSize":          intoSize(&c.MaxRecvMsgSize),
		"maxSendMsgSize":          intoSize(&c.MaxSendMsgSize),
		"totalQueryLimit":         intoCount(&c.TotalQueryLimit),
		"maxQueries":              intoCount(&c.MaxQueries),
		"maxCallDepth":            intoCount(&c.MaxCallDepth),
	}
}

func gatewayLimitKeys(l *server.Limits) map[string]reader {
	return map[string]reader{
		"gatewayConcurrency":      intoCount(&l.GatewayConcurrency),
		"endorserConcurrency":     intoCount(&l.EndorserConcurrency),
		"deliverConcurrency":      intoCount(&l.DeliverConcurrency),
		"maxRecvMsgSize":          intoSize(&l.MaxRecvMsgSize),
		"maxSendMsgSize":          intoSize(&l.MaxSendMsgSize),
		"maxHeaderBytes":          intoSize(&l.MaxHeaderBytes),
		"maxConnections":          intoCount(&l.MaxConnections),
		"maxStreamsPerConnection": intoCount(&l.MaxStreamsPerConnection),
		"handshakeTimeout":        intoDuration(&l.HandshakeTimeout),
		"unusedTimeout":           intoDuration(&l.UnusedTimeout),
		"minPingInterval":         intoDuration(&l.MinPingInterval),
	}
}

func (n *nodeConfig) readBuilder(v value) error {
	var b builder.Builder
	err := keys(map[string]reader{
		"name":                 intoText(&b.Name),
		"path":                 intoPath(&b.Path),
		"propagateEnvironment": intoTexts(&b.PropagateEnvironment),
	})(v)
	switch {
	case err != nil:
		return err
	case b.Name == "":
		return v.wrong("the builder has no name: give it one, as name")
	case b.Path == "":
		return v.wrong("builder %s has no path: give the folder that its bin is in, as path", quote(b.Name))
	}
	n.builders = append(n.builders, b)
	return nil
}

// checkPackages looks for what packages need.
func (n *nodeConfig) checkPackages(v value) error {
	for name, c := range n.chaincodes {
		switch {
		case c.pkg == nil:
		case len(n.builders) == 0:
			return v.wrong("chaincode %s is a package, and there are no builders for it: add builders, a list of {name, path}", quote(name))
		case n.builds == "":
			return v.wrong("chaincode %s is a package, and there is no folder to build it in: add builds, such as builds: ./builds", quote(name))
		}
	}
	return nil
}
