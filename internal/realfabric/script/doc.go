// Package script is a client of a network of Fabric that does all that a client can do, and all that it can do wrong, in some hundred
// steps. It is made of what applications are made of: Fabric's official client, and Fabric's own messages and services.
//
// Each step says in a line what came: what a client could decide by, without what is different each time (transaction IDs, hashes,
// addresses, times). Numbers of blocks are said from where the step began. So two networks that behave the same give the same lines.
package script
