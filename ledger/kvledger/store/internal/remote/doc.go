// Package remote is what the engines share whose data are on other machines. They have three things in common.
//
// A round trip costs more than anything else. So what several goroutines ask for at the same time is asked for once. A
// [Combiner] does that for reads, and [Views] for snapshots, many of which are of the same head.
//
// A connection may end between a request and its answer. Then nobody knows what has become of a commit, and the engine has
// to find out. [Retry] asks until somebody answers, and [Settled] says what the answer means.
//
// Callers come and go. If a caller has gone, its request must not be cut off while others wait for the same answer. So there
// are two clocks: the caller's, and the engine's own, which is a [Lifetime].
package remote
