"""OneBot v11 over plain HTTP, on the gateway's port: bots that post their events, and calls of applications."""
