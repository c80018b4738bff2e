"""Real applications behind the hub: all eight checks, two bots at once, with every quirk that an application survives
without the hub, and with those that only the hub mends."""

from __future__ import annotations

import pytest
from tests.interop import matrices
from tests.interop.conftest import Matrix
from tests.interop.matrices import NewMatrix
from tests.interop.simulator import Manner

KINDS = ("nonebot2_dialled", "nonebot2_dialling", "aiocqhttp_dialled", "koishi_dialled", "koishi_dialling")
QUIRKS = ("no_lifecycle", "string_ids", "binary", "ascii", "string", "no_message_format", "stray", "twice", "no_status")
MANNERS = {
    "plain": Manner(),
    "split": Manner(split=True),
    "unnamed": Manner(without=frozenset({"X-Self-ID", "X-Client-Role"})),
    **{quirk: Manner(frozenset({quirk})) for quirk in QUIRKS},
}


@pytest.fixture(scope="module", params=KINDS)
def matrix(request: pytest.FixtureRequest, new_matrix: NewMatrix) -> Matrix:
    """A hub with one application."""
    matrix: Matrix = getattr(matrices, request.param)(new_matrix)
    return matrix


@pytest.mark.parametrize("manner", MANNERS)
async def test_every_check_passes_for_two_bots_at_once(matrix: Matrix, manner: str) -> None:
    verdicts = await matrix.try_out(MANNERS[manner], tag=manner)
    assert not any(verdicts), verdicts
