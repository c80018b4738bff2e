"""`python -m tests.chaos.planted DEFECT -- worker`: a part of BotMatrix with a defect planted in it."""

from __future__ import annotations

import sys

from tests.chaos.defects import DEFECTS


def main() -> None:
    name, separator, *command = sys.argv[1:]
    if separator != "--":
        sys.exit(__doc__)
    next(defect for defect in DEFECTS if defect.name == name).plant()
    from botmatrix.cli.main import run  # only now: the defect must be there before anything is loaded

    sys.exit(run(command))


if __name__ == "__main__":
    main()
