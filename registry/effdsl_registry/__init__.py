"""The store: records on disk, DuckDB as index and query surface."""
