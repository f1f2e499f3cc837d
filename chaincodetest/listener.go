package chaincodetest

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// listener has a peer listen, for processes, when it is asked for the address.
type listener struct {
	support *chaincodesupport.ChaincodeSupport
	faults  *faults
	serving sync.WaitGroup

	mu      sync.Mutex
	address string
	server  *grpc.Server
}

// cut stops a chaincode. It is called by what the stop waits for.
func (l *listener) cut(chaincodeID string) {
	l.serving.Go(func() { _ = l.support.Stop(context.Background(), chaincodeID) }) // it was stopped, or the peer is closed
}

func (l *listener) listen() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.address != "" {
		return l.address, nil
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.address = socket.Addr().String()
	server := grpc.NewServer(append(l.support.ServerOptions(), grpc.ChainStreamInterceptor(l.faults.double))...)
	pbgrpc.RegisterChaincodeSupportServer(server, l.support)
	l.server = server
	l.serving.Go(func() { _ = server.Serve(socket) }) // it returns when the listener is closed
	return l.address, nil
}

// farewell is how long chaincode gets to hear why its stream has ended.
const farewell = time.Second

// close ends the listener, whose peer is closed already.
func (l *listener) close() {
	l.mu.Lock()
	server := l.server
	l.mu.Unlock()
	if server != nil {
		late := time.AfterFunc(farewell, server.Stop)
		server.GracefulStop()
		late.Stop()
	}
	l.serving.Wait()
}
