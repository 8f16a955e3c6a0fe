"""The catalog: Parquet in a folder, written atomically, read through DuckDB."""
