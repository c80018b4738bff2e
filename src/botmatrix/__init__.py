"""BotMatrix: a matrix of chat bots behind one hub."""
