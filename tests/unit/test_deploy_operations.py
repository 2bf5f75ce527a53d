"""What operators hang on to: alerts, dashboard, runbook, unit; each against the program as it is."""

from __future__ import annotations

import ast
import configparser
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bot.admin import COMMANDS
from bot.cli import cli
from bot.config import load
from tests.conftest import missing
from tests.deployment import DEPLOY, ROOT
from tests.deployment.dockerfile import parse
from tests.deployment.kustomize import containers, render
from tests.deployment.metrics import FOREIGN, SCRAPED, asked, exposed, grouped
from tests.deployment.runbook import blocks

GROUPS = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"] for rule in RULES if "record" in rule}
RUNBOOK = (DEPLOY / "runbook.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
STORIES = ("alerts_test.yaml", "alerts_week_test.yaml")
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))


def drawn() -> list[str]:
    """Every expression of the dashboard."""
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [*targets, *(each["expr"] for each in DASHBOARD["annotations"]["list"])]


def promtool(*arguments: str) -> None:
    """Run promtool; what it says of an error is the test's."""
    program = shutil.which("promtool")
    if program is None:
        missing("promtool is not installed: `sudo apt-get install --no-install-recommends prometheus`.")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@functools.cache
def spoken() -> frozenset[str]:
    """Every piece of text in the program's sources."""
    files = (path for folder in ("bot", "adapters", "tools") for path in (ROOT / folder).rglob("*.py"))
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


# ------------------------------------------------------------------------------------------------- metrics


def problems(expression: str) -> Iterator[str]:
    """What an expression asks for that nobody tells."""
    known = {**exposed(), **FOREIGN, **dict.fromkeys(RECORDS, frozenset[str]())}
    labels = SCRAPED
    for each in asked(expression):
        if each.metric not in known:
            yield f"{each.metric} is no metric"
            continue
        labels |= known[each.metric]
        yield from (f"{each.metric} has no label {label}" for label in each.labels - known[each.metric] - SCRAPED)
        if each.metric not in FOREIGN:
            yield from (f"nothing sets {value}" for value in each.values - spoken())
    yield from (f"nothing has a label {label}" for label in grouped(expression) - labels)


@pytest.mark.behaviour("deploy.metrics")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_an_alert_asks_for_what_the_program_tells(rule: dict[str, Any]) -> None:
    assert list(problems(rule["expr"])) == []


@pytest.mark.behaviour("deploy.metrics")
def test_the_dashboard_asks_for_what_the_program_tells() -> None:
    assert [problem for expression in drawn() for problem in problems(expression)] == []


@pytest.mark.behaviour("deploy.metrics")
def test_the_dashboards_panels_have_places_of_their_own() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.behaviour("deploy.metrics")
@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("max(frontdesk_queue_oldest) > 1", "frontdesk_queue_oldest is no metric"),
        ('rate(frontdesk_turns_total{outcom="answered"}[5m])', "frontdesk_turns_total has no label outcom"),
        ('rate(frontdesk_turns_total{outcome="anserwed"}[5m])', "nothing sets anserwed"),
        ("sum by (person) (rate(frontdesk_turns_total[5m]))", "nothing has a label person"),
        ("frontdesk_first_text_seconds > 1", "frontdesk_first_text_seconds is no metric"),
        ("summ(frontdesk_redis_up)", "summ is no metric"),
    ],
)
def test_an_expression_that_asks_for_something_else_is_noticed(expression: str, told: str) -> None:
    assert list(problems(expression)) == [told]


@pytest.mark.behaviour("deploy.metrics")
def test_every_metric_is_drawn_or_watched() -> None:
    used = {each.metric for text in [*drawn(), *(rule["expr"] for rule in RULES)] for each in asked(text)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed()}
    unused = families - {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    assert unused <= {"frontdesk_rate_limit_waits_total", "frontdesk_turn_seconds"}, "or say here why not"


# -------------------------------------------------------------------------------------------------- alerts


@pytest.mark.behaviour("deploy.alerts")
def test_prometheus_reads_the_rules_and_the_dashboards_expressions(tmp_path: Path) -> None:
    promtool("check", "rules", str(DEPLOY / "alerts.yaml"))
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(drawn())
    ]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "panels.yaml"))


@pytest.mark.behaviour("deploy.alerts")
@pytest.mark.parametrize("name", STORIES)
def test_alerts_fire_in_their_stories(name: str) -> None:
    promtool("test", "rules", str(DEPLOY / name))


@pytest.mark.behaviour("deploy.alerts")
def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires: dict[str, set[bool]] = {}
    for name in STORIES:
        for story in yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))["tests"]:
            for moment in story["alert_rule_test"]:
                fires.setdefault(moment["alertname"], set()).add(bool(moment["exp_alerts"]))
    assert fires == {name: {True, False} for name in ALERTS}


# ------------------------------------------------------------------------------------------------- runbook


def headings(text: str) -> list[str]:
    """The anchors of a Markdown file's headings, as code hosts make them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#{1,4} (.+)$", plain, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.behaviour("deploy.alerts")
def test_every_alert_leads_to_its_section() -> None:
    for name, alert in ALERTS.items():
        assert alert["labels"]["severity"] in ("page", "ticket")
        path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert (ROOT / path) == DEPLOY / "runbook.md"
        section = dict(zip(headings(RUNBOOK), re.split(r"^#{1,4} .+$", RUNBOOK, flags=re.MULTILINE)[1:], strict=True))
        assert f"`{name}`" in section[anchor], f"{anchor} does not name {name}"
        assert all(f"**{part}" in section[anchor] for part in ("Symptom.", "Look.", "Do", "Why.")), anchor
    assert set(re.findall(r"`(Frontdesk[A-Z]\w+)`", RUNBOOK)) == set(ALERTS)


@pytest.mark.behaviour("deploy.runbook")
@pytest.mark.parametrize("path", [DEPLOY / "runbook.md", ROOT / "docs" / "deploy.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not anchor or anchor in headings(file.read_text(encoding="utf-8")), target
    for name in re.findall(r"`((?:tests|deploy|docs|requirements)/[\w./-]+\.\w+)`", text):
        assert (ROOT / name).exists() or name.startswith("deploy/settings.env"), name


@pytest.mark.behaviour("deploy.runbook")
def test_what_can_be_copied_can_be_read() -> None:
    scripts = {**blocks(RUNBOOK, "sh"), **blocks(GUIDE, "sh")}
    assert len(scripts) > 5
    for script in scripts.values():
        subprocess.run(["sh", "-n", "-c", script], timeout=10, check=True)
    for text in blocks(GUIDE, "yaml").values():
        assert isinstance(yaml.safe_load(text), dict)


@pytest.mark.behaviour("deploy.runbook")
def test_the_commands_that_operators_are_told_are_there() -> None:
    command: Any = typer.main.get_command(cli)
    typed = re.compile(r"(?:^ *|/bin/|exec workers |-- )frontdesk ((?:[a-z-]+ ?)+)", re.MULTILINE)
    unit = (DEPLOY / "frontdesk.service").read_text(encoding="utf-8")
    told = {line for text in (*_code(RUNBOOK), *_code(GUIDE), unit) for line in typed.findall(text)}
    assert len(told) > 5
    for line in told:
        group = command
        for word in line.split():
            if word.startswith("-") or not hasattr(group, "commands"):
                break  # an option, or an argument
            assert word in group.commands, line
            group = group.commands[word]


@pytest.mark.behaviour("deploy.runbook")
def test_the_orders_that_operators_are_told_are_there() -> None:
    told = {
        words.split()[0] for code in (*_code(RUNBOOK), *_code(GUIDE)) for words in re.findall(r"/support (.+)", code)
    }
    assert told
    assert told <= set(COMMANDS)


@pytest.mark.behaviour("deploy.runbook")
def test_the_settings_that_operators_are_told_are_there() -> None:
    explained = (DEPLOY / "env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", explained, re.MULTILINE))
    told = {
        word
        for text in (RUNBOOK, GUIDE)
        for code in _code(text)
        for word in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", code)
    }
    told = {word.removesuffix("_FILE") for word in told}
    of_others = {"REDISCLI_AUTH", "FRONTDESK_IMAGE", "NAME"}  # of Redis and of compose.yaml; any name
    assert told - known - of_others == set()


@pytest.mark.behaviour("deploy.runbook")
def test_the_words_of_the_log_that_operators_are_told_are_there() -> None:
    words = re.compile(r"(?<![\w/.$-])[a-z]+(?:_[a-z0-9]+)+\b(?![/.])")
    told = {word for code in re.findall(r"`([^`\n]+)`", RUNBOOK) for word in words.findall(code)}
    of_others = {
        "offset_s",
        "pg_dump",
        "pg_restore",
        "pg_stat_activity",
        "wait_event_type",
        "runbook_url",
        "aof_enabled",
    }
    assert told - spoken() - set(exposed()) - of_others == set()


def _code(text: str) -> list[str]:
    """What stands between backticks, and in blocks of code."""
    blocks = re.findall(r"(?s:^```.*?^```)|^    .+$", text, re.MULTILINE)
    return [*blocks, *re.findall(r"`([^`\n]+)`", text)]


# --------------------------------------------------------------------------------------------- systemd unit


@pytest.mark.behaviour("deploy.unit")
def test_the_unit_runs_the_program_confined_and_lets_it_drain() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # names are written as systemd writes them
    unit.read(DEPLOY / "frontdesk.service")
    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    image = parse((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    installed = next(i.words[-1] for i in image if i.name == "COPY" and i.flags)
    assert program == f"{installed}/bin/frontdesk", "where image and guide put it too"
    assert f"{installed}/bin/" in GUIDE
    command: Any = typer.main.get_command(cli)
    assert words[0] in command.commands
    assert float(service["TimeoutStopSec"]) >= load({}).drain_s + 10
    assert service["KillMode"] == "mixed", "its children are not told to stop before it has drained"
    assert service["Restart"] == "always"
    yes = (
        "NoNewPrivileges ProtectHome PrivateTmp PrivateDevices ProtectKernelModules RestrictNamespaces LockPersonality"
    )
    assert all(service[name] == "yes" for name in yes.split())
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] not in ("root", "")
    assert f"/var/lib/{service['StateDirectory']}" in service["Environment"]


@pytest.mark.behaviour("deploy.unit")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("needs systemd-analyze; on Debian and Ubuntu: sudo apt-get install systemd")
    text = (DEPLOY / "frontdesk.service").read_text(encoding="utf-8")
    # It wants the program to be there, and the user too.
    text = text.replace("/opt/frontdesk/bin/frontdesk run", "/bin/true")
    (tmp_path / "frontdesk.service").write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / "frontdesk.service")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "frontdesk.service" in line] == []
    assert done.returncode == 0


@pytest.mark.behaviour("deploy.stores")
def test_the_stores_of_the_small_overlay_are_those_of_compose() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    rendered = render(DEPLOY / "kubernetes" / "overlays" / "small")
    small = {each["metadata"]["name"]: containers(each) for each in rendered if each["kind"] == "StatefulSet"}
    for name in ("redis", "postgres"):
        (container,) = small[name]
        assert container["image"] == compose[name]["image"]
    arguments = [*small["redis"][0]["command"], *small["redis"][0]["args"]]
    assert arguments[2:] == compose["redis"]["command"][2:], "after the program and the file with the password"
