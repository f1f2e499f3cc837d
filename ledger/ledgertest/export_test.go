package ledgertest

// Everything is a simulator with all optional interfaces.
type Everything = everything
