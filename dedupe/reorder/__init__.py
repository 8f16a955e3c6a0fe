"""Orders of layers: search over stacks of numbers. Knows nothing of catalogs, paths or reports."""
