"""Tasks in a nexus: set off by time and by events, done, tried again. Part of the skill system."""
