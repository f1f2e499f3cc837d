package chaincodetest

// executable is how the names of programs end.
const executable = ".exe"
