// Package realfabric holds what this repository's packages say against what Fabric's own code says. That code is built from
// Fabric's module, in folder fabric, into a program that answers questions: its dependencies, and the names that its messages
// are registered under, stay out of this repository's programs.
package realfabric
