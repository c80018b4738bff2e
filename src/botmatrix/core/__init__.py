"""The judge before routing, as pure functions: the configuration, the text of a message, words, URLs, verbs."""
