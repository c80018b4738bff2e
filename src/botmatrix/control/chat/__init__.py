"""The simulated bot of the console: people and groups that are not real, at a gateway that is."""
