"""The checker, on histories made by hand: it must see each kind of wrong, and nothing where all is right."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.checker import Allowance, Books, Verdict, check, inversions
from tests.chaos.oracle import Fate, Oracle, Reply, Start, read_starts

KILLS = Allowance()
CUTS = Allowance(may_cut=True, may_lose_sends=True, replies_in_order=False)


class History:
    """Four events in one conversation of bot 1, each handled and answered once, and the books to it."""

    def __init__(self, events: int = 4) -> None:
        self.oracle = Oracle()
        self.starts: list[Start] = []
        for _ in range(events):
            number = self.oracle.say(1, "a").number
            self.start(number)
            self.reply(number)

    def start(self, number: int, run: str = "w.1:1") -> None:
        self.starts.append(Start(number, "a", run))

    def reply(self, number: int, bot: int = 1) -> None:
        self.oracle.hear(Reply(number, bot, "a", "w.1:1"))

    def say(self, fate: Fate = Fate.WAITING) -> int:
        number = self.oracle.say(1, "a").number
        self.oracle.said[number].fate = fate
        return number

    def judge(
        self, allowance: Allowance = KILLS, *, done: int | None = None, dead: frozenset[int] = frozenset(),
        accepted: int | None = None, waiting: int = 0, unknown: int = 0, doubled: int = 0,
    ) -> Verdict:  # fmt: skip
        seen = len({start.number for start in self.starts} - dead)
        done = seen if done is None else done
        total = done + len(dead) + waiting if accepted is None else accepted
        books = Books(total, done, len(dead), waiting, unknown=unknown, doubled=doubled, dead_numbers=dead)
        return check(self.oracle, self.starts, books, allowance)


def test_a_clean_history_passes() -> None:
    verdict = History().judge()
    assert not verdict.problems
    assert (verdict.said, verdict.answered, verdict.handled) == (4, 4, 4)


def test_an_event_that_no_handler_saw_is_lost() -> None:
    history = History()
    history.say()
    assert history.judge().lost == 1


def test_an_event_that_was_handled_but_not_answered_is_lost() -> None:
    history = History()
    history.start(history.say())
    assert history.judge().lost == 1


def test_an_unknown_send_is_no_loss_where_a_nexus_may_die() -> None:
    history = History()
    history.start(history.say(Fate.CUT))
    verdict = history.judge(CUTS, unknown=1)
    assert (verdict.lost, verdict.unknown) == (0, 1)
    assert not verdict.problems


def test_more_silence_than_the_hub_knows_of_is_loss() -> None:
    history = History()
    for _ in range(3):
        history.start(history.say(Fate.CUT))
    assert history.judge(CUTS, unknown=1).lost == 2


def test_an_unknown_send_is_loss_where_no_nexus_dies() -> None:
    history = History()
    history.start(history.say())
    assert history.judge(unknown=1).lost == 1


def test_an_event_of_a_cut_link_that_nobody_saw_is_unconfirmed() -> None:
    history = History()
    history.oracle.cut({history.say()})
    verdict = history.judge(CUTS)
    assert (verdict.lost, verdict.unconfirmed) == (0, 1)
    assert not verdict.problems


def test_more_unconfirmed_than_were_in_the_air_is_a_problem() -> None:
    history = History()
    history.oracle.cut({history.say()})
    history.say(Fate.CUT)
    assert history.judge(CUTS).problems


def test_a_broken_link_is_a_problem_where_none_should_break() -> None:
    history = History()
    history.oracle.cut({history.say()})
    assert history.judge().problems


def test_a_dead_letter_is_loss() -> None:
    history = History()
    number = history.say()
    history.start(number)
    assert history.judge(dead=frozenset({number})).lost == 1


def test_a_failing_event_must_become_a_dead_letter() -> None:
    history = History()
    number = history.say()
    history.start(number)
    history.oracle.doomed.add(number)
    assert history.judge().lost == 1
    assert not history.judge(dead=frozenset({number})).problems


def test_an_event_that_another_hand_settled_may_be_silent_but_not_answered() -> None:
    history = History()
    number = history.say()
    history.oracle.taken.add(number)
    assert not history.judge(done=5).problems
    history.start(number)
    history.reply(number)
    assert history.judge(done=5).twice == 1


def test_what_a_blocked_sender_says_is_owed_nothing_and_must_not_be_handled() -> None:
    history = History()
    number = history.say()
    history.oracle.barred.add(number)
    assert history.oracle.waiting() == 0
    assert not history.judge().problems
    history.start(number)
    assert history.judge().problems


def test_an_unknown_send_that_came_does_not_excuse_another_that_did_not() -> None:
    history = History()
    came, missing = history.say(), history.say(Fate.CUT)
    for number in (came, missing):
        history.start(number)
    history.reply(came)
    history.oracle.late.add(came)
    assert history.judge(CUTS, unknown=1).lost == 1
    assert history.judge(CUTS, unknown=2).lost == 0


def test_an_action_given_to_a_nexus_twice_is_a_problem_unless_an_engine_died() -> None:
    assert History().judge(doubled=1).problems
    assert not History().judge(Allowance(may_double=True), doubled=1).problems


def test_a_second_reply_is_seen() -> None:
    history = History()
    history.reply(2)
    assert history.judge().twice == 1


def test_a_reply_to_another_bot_is_seen() -> None:
    history = History()
    number = history.say()
    history.start(number)
    history.reply(number, bot=2)
    assert history.judge().twice == 1


def test_a_first_handling_after_a_later_event_is_disorder() -> None:
    history = History()
    early, late = history.say(), history.say()
    for number in (late, early):
        history.start(number)
    for number in (early, late):
        history.reply(number)
    assert history.judge().disorder == 1


def test_handling_again_after_a_crash_is_no_disorder() -> None:
    history = History()
    history.start(3, "w.2:1")
    history.start(4, "w.2:2")
    verdict = history.judge()
    assert verdict.disorder == 0
    assert verdict.repeated == 2
    assert not verdict.problems


def test_handling_again_is_a_problem_when_nobody_died() -> None:
    history = History()
    history.start(3, "w.2:1")
    assert history.judge(Allowance(repeats=False)).problems


def test_crossed_replies_are_seen_where_links_never_changed() -> None:
    history = History()
    first, second = history.say(), history.say()
    for number in (first, second):
        history.start(number)
    for number in (second, first):
        history.reply(number)
    assert history.judge().disorder == 1
    assert history.judge(CUTS).disorder == 0


def test_counters_that_do_not_add_up_are_a_problem() -> None:
    assert History().judge(accepted=5).problems


def test_entries_left_in_the_lanes_are_a_problem() -> None:
    assert History().judge(waiting=1).problems


def test_more_settled_than_handled_is_a_problem() -> None:
    assert History().judge(done=5).problems


def test_a_run_without_any_answer_proves_nothing() -> None:
    assert History(events=0).judge().problems


def test_inversions_are_told_apart_by_conversation() -> None:
    assert inversions([("a", 2), ("b", 1), ("a", 3)]) == []
    assert inversions([("a", 2), ("a", 1), ("a", 3), ("a", 1)]) == [1]


def test_a_line_cut_short_by_a_kill_is_no_start(tmp_path: Path) -> None:
    log = tmp_path / "handled.log"
    log.write_text("1 a w.1:1\n2 a w.1:2\n3 a")
    assert [start.number for start in read_starts(log)] == [1, 2]


def test_the_log_can_be_kept(tmp_path: Path) -> None:
    History().oracle.write(tmp_path / "oracle.jsonl")
    assert len((tmp_path / "oracle.jsonl").read_text().splitlines()) == 8
