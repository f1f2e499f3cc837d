package gochaincode

// leaveOpen reads one record of a range.
func leaveOpen(s stub, args []string) (string, error) {
	it, err := s.GetStateByRange(args[0], args[1])
	if err != nil {
		return "", err
	}
	kv, err := it.Next()
	return kv.GetKey(), err
}

// readAfterClose closes a range, and reads the page that it has, and on.
func readAfterClose(s stub, args []string) (string, error) {
	it, err := s.GetStateByRange(args[0], args[1])
	if err != nil {
		return "", err
	}
	if err := it.Close(); err != nil {
		return "", err
	}
	return readStates(it, nil)
}

// readAfterEnd reads a range to its end, and on.
func readAfterEnd(s stub, args []string) (string, error) {
	it, err := s.GetStateByRange(args[0], args[1])
	if err != nil {
		return "", err
	}
	for it.HasNext() {
		if _, err := it.Next(); err != nil {
			return "", err
		}
	}
	kv, err := it.Next()
	return kv.GetKey(), err
}
