"""The other side of `ctx.run`: a process that calls functions, one after another, and sends back what they give.

Run as `python -m botmatrix.worker.crunch`. Standard input and output carry frames: four bytes of length, then a pickle.
Whatever a function prints goes to the log. It ends when its worker does.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import traceback
from typing import Any, BinaryIO

import cloudpickle  # type: ignore[import-untyped]

from botmatrix.worker.plugins.isolated.guard import NICE, step_back

HEAD = struct.Struct(">I")


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    has_stepped_back = step_back(NICE)
    while (asked := _read(sys.stdin.buffer)) is not None:
        has_stepped_back = has_stepped_back or step_back(NICE)
        answer = _answer(asked)
        answers.write(HEAD.pack(len(answer)) + answer)
        answers.flush()


def _read(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(HEAD.size)
    return pipe.read(HEAD.unpack(head)[0]) if len(head) == HEAD.size else None


def _answer(asked: bytes) -> bytes:
    try:
        function, args, kwargs = cloudpickle.loads(asked)
        return _packed((True, function(*args, **kwargs), ""))
    except BaseException as error:
        told = "".join(traceback.format_exception(error))
        try:
            return _packed((False, error, told))
        except Exception:
            return _packed((False, RuntimeError(f"{type(error).__name__}: {error}"), told))


def _packed(answer: tuple[bool, Any, str]) -> bytes:
    packed: bytes = cloudpickle.dumps(answer)
    cloudpickle.loads(packed)  # what can't be read again must fail here, where that can be told
    return packed


if __name__ == "__main__":
    main()
