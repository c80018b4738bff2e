"""The skill system of a nexus: composed in when it is on, absent when it is off."""
