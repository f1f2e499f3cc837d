package handler

// StateDiagram is what the README's diagram must be.
func StateDiagram() string { return stateDiagram(rows) }
