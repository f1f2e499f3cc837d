package chaincodesupport

// ResultOf makes a Result of a reply.
var ResultOf = resultOf
