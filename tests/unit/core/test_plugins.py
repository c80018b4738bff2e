"""What is wanted of plugins: on and off, and where."""

from __future__ import annotations

import pytest

from botmatrix.core.plugins import (
    BadPlugins,
    Cell,
    Matrix,
    PluginWishes,
    parse,
    reloaded,
    switched,
    with_cells,
)

BOT, GROUP, USER = "qq:10001", "qq:456", "qq:7"


def test_nothing_said_means_on_everywhere() -> None:
    assert PluginWishes().wish("dice").enabled
    assert not Matrix()
    assert Matrix().barred(BOT, GROUP, USER) == frozenset()


def test_a_switch_that_changes_nothing_gives_the_same_document() -> None:
    wishes = PluginWishes()
    assert switched(wishes, "dice", on=True) is wishes
    off = switched(wishes, "dice", on=False)
    assert not off.wish("dice").enabled
    assert switched(off, "dice", on=False) is off


def test_loading_anew_raises_the_generation_and_keeps_the_switch() -> None:
    wishes = reloaded(reloaded(switched(PluginWishes(), "dice", on=False), "dice"), "dice")
    assert (wishes.wish("dice").enabled, wishes.wish("dice").generation) == (False, 2)


@pytest.mark.parametrize(
    ("cells", "barred"),
    [
        ([Cell(plugin="dice")], True),
        ([Cell(plugin="dice", group=GROUP)], True),
        ([Cell(plugin="dice", group="qq:1")], False),
        ([Cell(plugin="dice", bot=BOT), Cell(plugin="dice", group=GROUP, on=True)], False),
        ([Cell(plugin="dice", group=GROUP, on=True), Cell(plugin="dice", user=USER)], True),
        ([Cell(plugin="dice", group=GROUP), Cell(plugin="dice", user=USER, group=GROUP, on=True)], False),
        ([Cell(plugin="dice", group=GROUP, bot="qq:2")], False),
    ],
)
def test_the_cell_that_says_most_counts(cells: list[Cell], barred: bool) -> None:
    for order in (cells, cells[::-1]):
        assert Matrix(order).barred(BOT, GROUP, USER) == ({"dice"} if barred else set())


def test_private_messages_are_in_no_group() -> None:
    assert Matrix([Cell(plugin="dice", group=GROUP)]).barred(BOT, "", USER) == frozenset()


def test_cells_about_the_same_replace_one_another() -> None:
    wishes = with_cells(PluginWishes(), [Cell(plugin="dice"), Cell(plugin="dice", user=USER)])
    again = with_cells(wishes, [Cell(plugin="dice", on=True)], [Cell(plugin="dice", user=USER, on=True)])
    assert again.matrix == [Cell(plugin="dice", on=True)]
    assert with_cells(again, again.matrix) is again
    assert parse(again.to_json()) == again


@pytest.mark.parametrize(
    "document", ["", "[]", '{"plugins": {"a b": {}}}', '{"matrix": [{"plugin": "x", "user": "7"}]}']
)
def test_what_is_no_document_is_refused(document: str) -> None:
    with pytest.raises(BadPlugins):
        parse(document)


def test_case_counts_for_nothing_in_the_platforms_of_the_matrix() -> None:
    cells = parse('{"matrix": [{"plugin": "dice", "group": "QQ:456", "on": false}]}').matrix
    assert Matrix(cells).barred("qq:1", "qq:456", "qq:7") == {"dice"}
