// Package accesscontrol makes sure that a chaincode which dials its peer is the one that the peer has launched. It uses
// mutual TLS, with a client certificate for each launch. It does what core/chaincode/accesscontrol does in Fabric's peer.
//
//	auth, err := accesscontrol.New(accesscontrol.Config{})
//	rt, err := process.New(process.Config{TLS: auth, …})
//	cs, err := chaincodesupport.New(chaincodesupport.Config{Credentials: auth.ServerCredentials(), Identify: auth.Identify, …})
//	srv := grpc.NewServer(cs.ServerOptions()...)
//
// [Authenticator.Issue] makes a certificate, and remembers by its hash which chaincode ID it is for. A connection is
// accepted only with a certificate of this Authenticator. [Authenticator.Identify] then fixes the name that a stream may
// register, before the stream's first message is read. When a launch has ended, its certificate is revoked. That cuts the
// connections that were made with it, so nothing of an old launch can be taken for the next one.
//
// The CA's key and all that was issued live in memory. After a restart of the peer there is a new CA, and what an earlier
// one has left behind is worthless.
package accesscontrol
