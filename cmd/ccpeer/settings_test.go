package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigWithFlags is about what a file and the command line say together.
func TestConfigWithFlags(t *testing.T) {
	dir := configFolder(t)
	const mine = "chaincodes: {a: {runtime: {process: {command: asset}}}}\n"
	for _, c := range []struct {
		text, flags string // flags are separated by spaces
		want        string // the error, or what describe returns
	}{
		{mine, "", "127.0.0.1:7052 mutual 127.0.0.1:7053 [mychannel] a"},
		{mine + "listen: 127.0.0.1:1\napi: 127.0.0.1:2\nchannels: [x]", "", "127.0.0.1:1 mutual 127.0.0.1:2 [x] a"},
		{mine + "listen: 127.0.0.1:1\napi: 127.0.0.1:2\nchannels: [x]", "--listen 127.0.0.1:3 -C y,z", "127.0.0.1:3 mutual 127.0.0.1:2 [y z] a"},
		{mine + "plaintext: true", "", "127.0.0.1:7052 plaintext 127.0.0.1:7053 [mychannel] a"},
		{mine + "plaintext: true", "--plaintext=false", "127.0.0.1:7052 mutual 127.0.0.1:7053 [mychannel] a"},
		{mine + "dev: true", "", "127.0.0.1:7052 plaintext 127.0.0.1:7053 [mychannel] a"},
		{mine + "listen: unix:c\napi: unix:a", "", "unix://DIR/c mutual unix://DIR/a [mychannel] a"},
		{mine + "listen: 0.0.0.0:1\nadvertise: peer0", "", "peer0:1 mutual 127.0.0.1:7053 [mychannel] a"},
		{mine + "listen: 0.0.0.0:1\nadvertise: peer0:9", "", "peer0:9 mutual 127.0.0.1:7053 [mychannel] a"},
		{mine + "listen: '[::]:1'\nadvertise: ::2", "--advertise ::3", "[::3]:1 mutual 127.0.0.1:7053 [mychannel] a"},
		{mine + "listen: 192.0.2.1:1", "", "192.0.2.1:1 mutual 127.0.0.1:7053 [mychannel] a"},

		{mine + "listen: 0.0.0.0:1", "", "FILE:2: listen: address \"0.0.0.0:1\" is every one"},
		{mine + "listen: 192.0.2.1:1", "--plaintext", "FILE:2: listen: address \"192.0.2.1:1\" can be reached from the network"},
		{mine + "listen: 192.0.2.1:1\ndev: true", "", "FILE:2: listen: address \"192.0.2.1:1\" can be reached from the network"},
		{mine + "advertise: a b", "", "FILE:2: advertise: \"a b\" is nothing that can be dialled"},
		{mine + "advertise: host\nplaintext: true", "", "FILE:2: advertise: chaincode that connects in plaintext"},
		{mine + "api: 0.0.0.0:1", "", "FILE:2: api: address \"0.0.0.0:1\" can be reached from the network"},
		{mine + "logLevel: loud", "", "FILE:2: logLevel: \"loud\": want debug, info, warn or error"},
		{mine + "ledger: disk", "", "FILE:2: ledger: \"disk\": want memory, pebble:FOLDER"},
		{mine + "ledger: etcd:host", "", "FILE:2: ledger: etcd: \"host\" is no endpoint"},
		{mine, "--chaincode b=" + dir + "/asset", "--chaincode and --config exclude each other: say it in FILE, under chaincodes"},
		{mine, "--indexes a=src", "--indexes and --config exclude each other"},
		{mine, "--channelID=", "-C is empty"},
		{mine + "dev: true", "--plaintext=false", "--plaintext=false: chaincode that connects by itself"},
	} {
		t.Run(c.text+c.flags, func(t *testing.T) {
			file := filepath.Join(dir, "ccpeer.yaml")
			write1(t, file, c.text)
			here := func(s string) string {
				return strings.ReplaceAll(strings.ReplaceAll(s, "FILE", file), "DIR", dir)
			}
			s, err := loadArgs(append(strings.Fields(c.flags), "--config", file)...)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = describeServing(s)
			}
			if !strings.HasPrefix(got, here(c.want)) {
				t.Errorf("it is %s, want %s", got, here(c.want))
			}
		})
	}
}

// loadArgs reads a command line of ccpeer serve.
func loadArgs(args ...string) (*serving, error) {
	cmd, f := newServeCommand()
	if err := cmd.ParseFlags(args); err != nil {
		return nil, err
	}
	return f.load(cmd.Flags().Changed, os.Stderr)
}

func describeServing(s *serving) string {
	how := "mutual"
	if s.node.plaintext {
		how = "plaintext"
	}
	names := ""
	for name := range s.node.chaincodes {
		names += " " + name
	}
	return s.node.peerAddress() + " " + how + " " + s.api.String() + " [" + strings.Join(s.node.channels, " ") + "]" + names
}
