// Package accesscontrol sees to it that a chaincode that dials its peer is the one that the peer has launched: by mutual
// TLS, with a client certificate for each launch. It does what core/chaincode/accesscontrol does in Fabric's peer.
//
//	auth, err := accesscontrol.New(accesscontrol.Config{})
//	rt, err := process.New(process.Config{TLS: auth, …})
//	cs, err := chaincodesupport.New(chaincodesupport.Config{Credentials: auth.ServerCredentials(), Identify: auth.Identify, …})
//	srv := grpc.NewServer(cs.ServerOptions()...)
//
// [Authenticator.Issue] mints a certificate and remembers by its hash which chaincode ID it is for. A connection is accepted
// with a certificate of this Authenticator only; [Authenticator.Identify] then fixes the name that a stream may register,
// before the stream's first message is read. Revoking a certificate, when its launch has ended, cuts the connections that
// were made with it: nothing of an old launch can be taken for the next one.
//
// The CA's key and all that was issued live in memory. After a restart of the peer there is a new CA, and what an
// earlier one has left behind is worthless.
package accesscontrol
