"""Every planted defect still finds its place in the product, and names a scenario that exists."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bench.parts import ROOT, source_path
from tests.chaos.defects import DEFECTS, Defect, edit_script
from tests.chaos.schedule import PHASES, SCENARIOS

PLANT = "import sys; from tests.chaos.defects import DEFECTS; next(d for d in DEFECTS if d.name == sys.argv[1]).plant()"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_can_be_planted(defect: Defect) -> None:
    # In a process of its own: what is planted stays.
    done = subprocess.run(
        [sys.executable, "-c", PLANT, defect.name], cwd=ROOT, env=source_path(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_every_defect_has_a_scenario() -> None:
    assert {defect.scenario for defect in DEFECTS} <= {phase.name for phase in (*PHASES, *SCENARIOS)}


def test_a_defect_whose_place_is_gone_is_refused() -> None:
    with pytest.raises(LookupError, match="plant the defect anew"):
        edit_script("SETTLE", ("no such line", ""))
