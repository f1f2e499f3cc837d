package remote

// LittleBytes is how many bytes of values a store may read for an answer before there is room for them. Only the server knows
// how large a value is. So what is little comes with the first request. Of what is larger the store learns the size, calls
// ledger.Reserve, and asks again.
const LittleBytes = 64 << 10
