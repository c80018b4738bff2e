"""The REST interface: one resource, one file."""
