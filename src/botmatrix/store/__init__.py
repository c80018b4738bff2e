"""PostgreSQL: what must outlive every process. `engine.Database` is the way in."""
