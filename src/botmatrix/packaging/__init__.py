"""Plugins in files: what `plugin.json` says, and packages (`.bmpk`). Pure."""
