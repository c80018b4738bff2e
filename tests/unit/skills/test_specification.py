"""Each sentence of the description of the skill switch, and the test that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
WORKER, SYSTEM = "integration/worker/test_skills.py", "integration/test_skill_system.py"
OFF = "test_off_nothing_of_the_skill_system_exists_and_calls_are_declined"
ON = "test_a_gray_launch_and_calls_that_outlive_their_processes"
FLEET = "integration/test_skill_fleet.py"
CELLS, GRAY = "test_the_four_cells_of_the_switch", "test_a_gray_launch_shows_at_each_step_what_it_must"
MIXED = "test_a_mixed_fleet_executes_every_call_on_skilled_workers_and_loses_nothing"
MODEL, STORE = "unit/skills/test_model.py", "integration/store/test_executions.py"
UNIFORM = "test_the_choice_is_uniform_among_those_that_reported_the_skill"
CONFIG, RESTART = "unit/test_config.py", "integration/test_restart.py"
SENTENCES = [
    ("all skill-related features are turned off by default", CONFIG, "test_default_value"),
    (
        "older workers can still process basic messages normally via WebSocket",
        "integration/sockets/test_old_workers.py",
        "test_an_old_worker_hears_flat_events_with_text_ids",
    ),
    (
        "the toggle in the console, saved, then a restart",
        RESTART,
        "test_a_restart_puts_settings_into_effect_and_they_survive_a_kill",
    ),
    ("the toggle in config.json", CONFIG, "test_file_takes_json_values"),
    ("ENABLE_SKILL=true or 1", CONFIG, "test_environment_is_read"),
    ("off, nexus: no database connections, task manager, Redis subscriptions", SYSTEM, OFF),
    (
        "off, nexus: a skill_result is discarded and logged",
        "integration/sockets/test_old_workers.py",
        "test_a_registration_is_kept_and_a_skill_result_is_discarded",
    ),
    (
        "off, nexus: only message forwarding",
        WORKER,
        "test_off_a_call_is_declined_and_nothing_is_reported",
    ),
    ("off, worker: sends no capabilities at its start", WORKER, "test_off_a_call_is_declined_and_nothing_is_reported"),
    ("off, worker: a skill_call does not enter the execution flow", SYSTEM, OFF),
    ("only workers that explicitly reported the skill are found", MODEL, UNIFORM),
    ("random distribution among the workers that support it", MODEL, UNIFORM),
    ("workers that reported nothing are no candidates", SYSTEM, ON),
    (
        "results by Pub/Sub",
        "integration/nexus/test_skill_results.py",
        "test_a_result_on_the_channel_is_applied_once_though_both_hear_it",
    ),
    (
        "results by WebSocket",
        "integration/nexus/test_skill_results.py",
        "test_a_result_from_a_socket_without_execution_id_is_matched_by_its_task",
    ),
    ("execution_id is matched first", STORE, "test_a_result_is_applied_once"),
    (
        "without it, the most recent execution of task_id",
        STORE,
        "test_without_an_execution_id_the_newest_open_one_of_the_task_is_meant",
    ),
    ("the closed loop from skill_call to skill_result", SYSTEM, ON),
    ("active only where ENABLE_SKILL is true: every combination of nexus and worker", FLEET, CELLS),
    ("old and new workers online at once: old ones never see a skill_call, nothing is lost", FLEET, MIXED),
    ("some workers first, then the nexus; calls go to the new workers", FLEET, GRAY),
    ("everywhere", FLEET, GRAY),
]


@pytest.mark.parametrize(("sentence", "file", "test"), SENTENCES)
def test_every_sentence_has_its_test(sentence: str, file: str, test: str) -> None:
    assert f"def {test}" in (TESTS / file).read_text("utf-8"), sentence
