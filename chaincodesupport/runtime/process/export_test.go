package process

// SetLock replaces how folders are locked.
func SetLock(r *Runtime, lock func(dir string) (unlock func(), err error)) { r.lock = lock }
