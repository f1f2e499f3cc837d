package benchpeer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/peer/server"
)

// wanted says what a network of this library should be. The process that is one gets it as JSON.
type wanted struct {
	Dir string
	// Chaincodes are the addresses of the chaincodes' servers, by what they register as. Policies are their endorsement policies.
	Chaincodes map[string]string
	Policies   map[string]string
	Batch      ordering.Batch
	// Limits bound what clients can make each peer do.
	Limits server.Limits
	// Profile is the file for a profile of what computes, from when the network serves. Empty: none is made.
	Profile string
}

// serveOurs is the process that is a network of this library. It says where its description is, and lasts until in ends.
func serveOurs(ctx context.Context, w wanted, in io.Reader, out io.Writer) (err error) {
	n, err := peer.NewNetwork(ctx, peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Channels: []string{network.ChannelID}, Batch: w.Batch,
		Store: func(name string) (store.Store, error) {
			return pebble.Open(pebble.Config{Dir: filepath.Join(w.Dir, name)})
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		if closing := n.Close(ctx); err == nil {
			err = closing
		}
	}()
	for name, address := range w.Chaincodes {
		if err := n.Deploy(ctx, network.ChannelID, peer.Chaincode{
			Name: name, Version: network.Version, Endorsement: w.Policies[name],
			RuntimeOf: func(*peer.Peer) (runtime.Runtime, error) { return dial.New(dial.Config{Address: address}) },
		}); err != nil {
			return err
		}
	}
	running, err := devnet.Start(ctx, n, devnet.Config{Limits: w.Limits})
	if err != nil {
		return err
	}
	defer func() {
		if closing := running.Close(ctx); err == nil {
			err = closing
		}
	}()
	path, err := describe(n, running, w.Dir)
	if err != nil {
		return err
	}
	stop, err := profile(w.Profile)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := fmt.Fprintln(out, path); err != nil {
		return errors.WithStack(err)
	}
	_, err = io.Copy(io.Discard, in)
	return errors.WithStack(err)
}

// profile begins a profile, which stop ends.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.WithStack(err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // whoever reads it sees whether it is whole
	}, nil
}

// describe writes the description of a network.
func describe(n *peer.Network, running *devnet.Running, dir string) (path string, err error) {
	t := &target.Target{Channel: network.ChannelID}
	for _, e := range running.Endpoints() {
		root := filepath.Join(dir, e.MSPID+".tls.pem")
		if err := target.WriteFile(root, e.TLSRoot); err != nil {
			return "", err
		}
		user, err := n.Client("User1@"+e.MSPID, nil)
		if err != nil {
			return "", err
		}
		written, err := target.WriteUser(dir, "User1", user)
		if err != nil {
			return "", err
		}
		t.Organizations = append(t.Organizations, target.Organization{
			MSPID: e.MSPID, Peer: e.Address, ServerName: "localhost", TLSRoot: root, Users: map[string]target.User{"User1": written},
		})
	}
	return t.Write(dir)
}

// decodeWanted reads what a process is told.
func decodeWanted(text string) (w wanted, err error) {
	return w, errors.WithStack(json.Unmarshal([]byte(text), &w))
}
