package accesscontrol

// Watched returns how many launches are known, and how many connections of theirs.
func (a *Authenticator) Watched() (launches, conns int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.launches {
		conns += len(l.conns)
	}
	return len(a.launches), conns
}
