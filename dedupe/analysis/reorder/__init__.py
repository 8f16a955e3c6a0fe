"""Orders of layers and steps, and new divisions into layers: their input, plans and proofs."""
