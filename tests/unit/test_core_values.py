"""The pure parts of the core: thread keys, commands, the handbook, progress of a turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import casework
from bot.casework import Case, Stage
from bot.conversation import ToolCall, Turn
from bot.errors import ConfigError
from bot.loop import Progress
from bot.messages import Person, ThreadKey
from bot.prompt import SystemPrompt, read_handbook
from tests.talk import answered, resulted, said


@pytest.mark.behaviour("core.thread_key")
@pytest.mark.parametrize("part", ["plain", "with:colon", "{0}", "a b/c%", "日本", ""])
def test_a_thread_key_is_its_text(part: str) -> None:
    key = ThreadKey(platform="web", space=part, channel="c", root=part)
    assert ThreadKey.parse(str(key)) == key
    assert not set("{} ") & set(str(key))


@pytest.mark.behaviour("desk.reminder")
def test_a_wait_is_reminded_of_once_however_often_it_is_written_down() -> None:
    ada, rob = Person(id="U1", display_name="Ada"), Person(id="U2", display_name="Rob", is_staff=True)
    first, later = (datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (9, 10))
    case = casework.waits(Case(id="c1", person=ada, reason="asked"), first)
    assert case.is_due
    told = casework.reminded(case, first)
    assert not told.is_due
    assert casework.waits(told, first) == casework.waits(told, later) == told, "written down again by a slow worker"
    answered = casework.answered(told, rob)
    assert answered.assignee == rob
    assert casework.reminded(answered, first) == answered, "a reminder that ended late is none of the next wait"
    assert casework.waits(answered, later).is_due
    closed = replace(answered, stage=Stage.CLOSED)
    assert casework.waits(closed, later) == casework.answered(closed, ada) == closed


@pytest.mark.behaviour("core.handbook")
def test_a_handbook_is_a_file_or_a_folder_in_order(tmp_path: Path) -> None:
    (tmp_path / "2.md").write_text("second")
    (tmp_path / "1.md").write_text("first")
    (tmp_path / "notes.txt").write_text("not a handbook")
    assert read_handbook(tmp_path, limit_tokens=100).general == "first\n\nsecond"
    assert read_handbook(tmp_path / "1.md", limit_tokens=100).general == "first"


@pytest.mark.behaviour("core.handbook")
def test_a_channel_may_have_pages_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "general.md").write_text("for everybody")
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "C1.md").write_text("for channel one")
    prompt = SystemPrompt(read_handbook(tmp_path, limit_tokens=100))
    one, two = (ThreadKey(platform="web", space="s", channel=channel, root="r") for channel in ("C1", "C2"))
    assert "for channel one" in prompt.of(one)
    assert "for everybody" in prompt.of(one)
    assert "for channel one" not in prompt.of(two)
    assert prompt.of(two) is prompt.of(two)


@pytest.mark.behaviour("core.handbook")
@pytest.mark.parametrize("kind", ["missing", "empty", "long", "binary"])
def test_a_handbook_that_cannot_be_used_is_named_with_the_mend(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "handbook.md"
    if kind != "missing":
        path.write_bytes({"empty": b" ", "long": b"word " * 1000, "binary": b"\xff\xfe"}[kind])
    with pytest.raises(ConfigError, match="HANDBOOK"):
        read_handbook(path, limit_tokens=100)


@pytest.mark.behaviour("core.progress")
def test_progress_is_read_from_the_turn() -> None:
    calls = [ToolCall(id=f"c{i}", name="t", arguments=a) for i, a in enumerate(('{"a":1}', '{"a": 1}', "{}"))]
    turns: list[Turn] = [said("hi"), answered("", calls[0]), resulted("c0"), answered("", *calls[1:]), resulted("c1")]
    progress = Progress.of(turns)
    assert progress.rounds == 2
    assert progress.pending == ((1, calls[2]),)
    assert progress.earlier == {("t", '{"a":1}'): 2}
    assert Progress.of([said("hi")]).pending == ()
