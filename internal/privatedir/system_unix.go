//go:build unix

package privatedir

// saysAccess is whether a mode says who has access.
const saysAccess = true
