"""One blob becomes entries: decompressed, verified, whiteouts told from files."""
