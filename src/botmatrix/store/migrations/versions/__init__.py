"""One file per step, numbered; a step is never changed once it is released."""
