"""`python -m bench.untraced nexus`: a nexus that traces no event, to be compared with one that does."""

from __future__ import annotations

import sys

from botmatrix.cli.main import run
from botmatrix.nexus import tracer


def main() -> None:
    setattr(tracer, "ROWS", 0)  # noqa: B010 - a constant of the product
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
