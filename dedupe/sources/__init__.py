"""Where images are kept: one module a format, found by signature."""
