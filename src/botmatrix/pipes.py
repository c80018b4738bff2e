"""Ends of pipes, as event loops can be given them."""

from __future__ import annotations

import asyncio
import os
from typing import IO


def for_loop(pipe: IO[bytes]) -> IO[bytes]:
    """The same end, for `connect_read_pipe` or `connect_write_pipe`, which closes it. Raises `OSError`.

    uvloop closes the number of a pipe, and then the object: a thread that opens something between the two is given the
    same number, and what it has opened (a file, the link to a database) would be closed for it. Its objects close
    nothing, therefore, and the object given is closed at once.
    """
    if not type(asyncio.get_running_loop()).__module__.startswith("uvloop"):
        return pipe
    mode = "wb" if pipe.writable() else "rb"
    number = os.dup(pipe.fileno())
    pipe.close()
    return open(number, mode, 0, closefd=False)
