"""Every time limit of the gateway, in one place; tests shorten them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, and rates per second."""

    handshake: float = 10.0
    """From accepting a connection to the end of its request."""
    sweep: float = 1.0
    """Each link is looked at this often; the error of every limit below."""
    ping: float = 15.0
    """Each link is pinged this often."""
    silence: float = 40.0
    """A link from which nothing came for so long is dead."""
    partial: float = 10.0
    """A message that began must end within this, or keep coming at `partial_rate` bytes a second."""
    partial_rate: float = 4096.0
    closing: float = 5.0
    """The peer's Close must follow ours within this."""
    unnamed: float = 10.0
    """A bot without X-Self-ID must say who it is within this."""
    greeting: float = 1.0
    """A new link is asked who it is (and which groups it is in) after this, ..."""
    greetings: float = 100.0
    """... at most so many links a second, so that thousands of bots don't all answer at once."""
    probe: float = 2.0
    """An older link must answer a ping within this, or the newer one takes its place."""
    call: float = 30.0
    """An action must be answered within this."""
    flapping: float = 10.0
    """A bot may open `flapping_links` links within this."""
    flapping_links: int = 20
    heartbeat_slack: float = 5.0
    """A bot is degraded when no heartbeat came for two declared intervals and this."""
