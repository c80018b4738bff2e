"""Pure parts of tasks: what sets one off, when, and what is then done."""
