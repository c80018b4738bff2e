"""Workers that are reached over a WebSocket: OneBot applications, and old workers that know no streams."""
