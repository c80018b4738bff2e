"""For tests of plugins: a worker as it is, with the chat platform's part played.

```python
from botmatrix.testing import Sim

async def test_weather():
    async with Sim("plugins/weather.py") as sim:
        chat = sim.group(456).user(123)
        await chat.say("/weather Bonn")
        await chat.expect_contains("Bonn")
```
"""

from botmatrix.testing.chat import Chat, Place
from botmatrix.testing.sim import Sim

__all__ = ["Chat", "Place", "Sim"]
