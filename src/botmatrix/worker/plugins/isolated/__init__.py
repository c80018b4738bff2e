"""Plugins that run in a process of their own, in any language: one JSON object a line on stdin and stdout."""
