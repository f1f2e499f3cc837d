// Package postgrestest starts PostgreSQL servers for tests and measurements:
//
//	server, err := postgrestest.Start(postgrestest.Config{})
//	defer server.Stop()
//	s, err := postgres.Open(ctx, postgres.Config{URL: server.URL()})
//
// A server is in a temporary folder, which also has its socket: it uses no port, and nothing but the socket leads to it. It
// syncs what it writes, as PostgreSQL does by default, so that what is measured is what a real one would need. It needs the
// programs of a PostgreSQL server (Debian: postgresql), in PATH or where Debian puts them, on a Unix. On Linux it ends with
// the process that started it, however that ends.
package postgrestest
