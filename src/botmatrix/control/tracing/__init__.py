"""The trace as control keeps and shows it: joined, written down, explained, live."""
