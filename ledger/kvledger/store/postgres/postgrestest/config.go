package postgrestest

import "strings"

// Config says what server is started. Its zero value is one with PostgreSQL's defaults.
type Config struct {
	// Settings are PostgreSQL's, such as "max_connections=200". The slice is not kept.
	Settings []string
	// Primary, which must be running, makes the server a standby that follows it; nil makes it one of its own, and empty.
	// That the primary waits for its standby is a setting of the primary's.
	Primary *Server
	// NoSync leaves it to the system when to write: only for tests that are about something else.
	NoSync bool
}

// args returns the arguments of the program.
func (c Config) args(dir, data string) []string {
	args := []string{"-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories=" + dir}
	if c.NoSync {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for _, setting := range c.Settings {
		args = append(args, "-c", setting)
	}
	return args
}

const readWrite, anyServer = "read-write", "any"

// connection says how to connect to the first of the servers that is what target wants.
func connection(target string, servers ...*Server) string {
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, s.dir), append(ports, port)
	}
	return "host=" + strings.Join(hosts, ",") + " port=" + strings.Join(ports, ",") +
		" user=" + superuser + " dbname=postgres target_session_attrs=" + target
}
