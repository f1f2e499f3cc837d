package peer_test

import (
	"fmt"
	"testing"

	"github.com/ccpeer/ccpeer/peer"
)

// What nobody has ordered makes room for what comes later, however much it is, and however small.
func TestTransientMakesRoom(t *testing.T) {
	var kept peer.Transient
	large := make([]byte, 30<<20)
	for i := range 20 {
		large[0] = byte(i)
		if err := kept.Keep(fmt.Sprint("large", i), append([]byte(nil), large...), 0); err != nil {
			t.Fatal(err)
		}
	}
	if kept.Has("large0") || !kept.Has("large19") || kept.Bytes() > peer.MaxPrivateBytes {
		t.Errorf("the oldest is kept (%t) or the newest isn't (%t), with %d bytes", kept.Has("large0"), !kept.Has("large19"), kept.Bytes())
	}
	const small = 1000
	before := kept.Bytes()
	for i := range small {
		if err := kept.Keep(fmt.Sprint("small", i), []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if each := (kept.Bytes() - before) / small; before < peer.MaxPrivateBytes-60<<20 && each < 400 {
		t.Errorf("a small one counts %d bytes, and takes more", each)
	}
	if err := kept.Keep("later", []byte("v"), 2000); err != nil { // the others have waited for more than 1,000 blocks
		t.Fatal(err)
	}
	kept.Forget([]string{"later", "nothing"})
	if kept.Bytes() != 0 {
		t.Errorf("when all are forgotten, %d bytes are kept", kept.Bytes())
	}
	if err := kept.Keep("huge", make([]byte, peer.MaxPrivateBytes), 2000); err == nil || kept.Bytes() != 0 {
		t.Errorf("what never fits is kept: %v", err)
	}
	for i := range 6 { // of one transaction, endorsed again and again
		variant := make([]byte, 60<<20)
		variant[0] = byte(i)
		if err := kept.Keep("again", variant, 2000); err != nil {
			t.Fatal(err)
		}
	}
	if !kept.Has("again") || kept.Bytes() > peer.MaxPrivateBytes {
		t.Errorf("many variants take %d bytes", kept.Bytes())
	}
}
