"""Pure parts of the skill system: what is said about skills, and how results find their executions."""
