"""`deploy/compose.yaml` against the schema of compose files, and against the program that it starts."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from adapters.discord.settings import read_settings as discord
from adapters.slack.settings import read_settings as slack
from bot.config import load, with_files
from tests.deployment import DEPLOY

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("platforms", "workers")


def make_secrets(folder: Path) -> str:
    """Run the command that the file names; what it printed."""
    return subprocess.run(
        ["sh", str(DEPLOY / "secrets.sh"), str(folder)],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout


def valid(compose: dict[str, Any]) -> None:
    """Check against the schema of the Compose specification.

    Raises:
        ValidationError: it does not fit.
    """
    package = importlib.resources.files("check_jsonschema")
    schema = json.loads((package / "builtin_schemas" / "vendor" / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(compose)


@pytest.mark.behaviour("deploy.compose")
def test_the_file_fits_its_schema() -> None:
    valid(COMPOSE)


@pytest.mark.behaviour("deploy.compose")
@pytest.mark.parametrize(
    ("name", "value"), [("read_onyl", True), ("restart", 3), ("healthcheck", {"tests": []}), ("ports", "8080")]
)
def test_what_does_not_fit_is_noticed(name: str, value: object) -> None:
    services = {**SERVICES, "workers": {**SERVICES["workers"], name: value}}
    with pytest.raises(jsonschema.ValidationError):
        valid({**COMPOSE, "services": services})


@pytest.mark.behaviour("deploy.compose")
def test_secrets_are_made_once_and_mounted_as_files(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    told = make_secrets(folder)
    assert "openai_api_key" in told
    assert folder.stat().st_mode & 0o777 == 0o700
    first = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "openai_api_key").write_text("sk-of-mine\n")
    assert "openai_api_key" not in make_secrets(folder), "it is no longer empty"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {**first, "openai_api_key": "sk-of-mine\n"}

    files = {name: Path(secret["file"]).name for name, secret in COMPOSE["secrets"].items()}
    assert set(files.values()) == set(first), "each is made, and each is used"
    assert {name for service in SERVICES.values() for name in service.get("secrets", ())} == set(files)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith("_FILE"):
                assert value == f"/run/secrets/{name.removesuffix('_FILE').lower()}"
                assert value.rpartition("/")[2] in service["secrets"], "a process gets the secrets that it names"

    random = [first[name] for name in ("redis_password", "postgres_password", "frontdesk_secret_key", "web_token")]
    assert len(set(random)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in random)
    assert first["redis_password"].strip() in first["redis_url"]
    assert first["postgres_password"].strip() in first["database_url"]
    passwords = {
        service["environment"].get("POSTGRES_PASSWORD_FILE")
        for service in SERVICES.values()
        if "environment" in service
    }
    assert passwords == {None, "/run/secrets/postgres_password"}


@pytest.mark.behaviour("deploy.compose")
def test_the_program_reads_what_compose_gives_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    (folder / "openai_api_key").write_text("sk-of-mine\n")
    given = {
        name: value.replace("/run/secrets", str(folder)) for name, value in SERVICES["workers"]["environment"].items()
    }
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")
    explained = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    settings = load(with_files(given))
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-of-mine"
    assert settings.redis_url is not None
    assert re.fullmatch(r"redis://:[0-9a-f]{48}@redis:6379/0", settings.redis_url.get_secret_value())
    assert settings.database_url is not None
    assert re.fullmatch(
        r"postgresql://frontdesk:[0-9a-f]{48}@postgres:5432/frontdesk", settings.database_url.get_secret_value()
    )
    assert {service["command"][-1] for name, service in SERVICES.items() if name in OURS} == set(OURS)
    assert {name.removesuffix("_FILE") for name in given} <= explained
    assert slack(with_files(given)) is None, "an empty file is a setting that is absent"
    assert discord(with_files(given)) is None
    (folder / "discord_bot_token").write_text("a-token")
    assert discord(with_files(given)) is not None


@pytest.mark.behaviour("deploy.confined")
def test_every_service_is_confined_watched_and_restarted() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        assert service["pids_limit"] > 0, name
        assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & set(service), name
        assert "/" not in service["image"].partition(":-")[2] or "$" not in service["image"], name
        assert name in OURS or "healthcheck" in service, "ours has the image's"
        assert name in OURS or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), "ours has the image's"
        assert not re.search(r"[\w-]+\.[\w.-]+/", service["image"]), "no registry is named"
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "nothing but this machine's proxy reaches it"
    assert COMPOSE["networks"]["stores"] == {"internal": True}
    assert all(SERVICES[name]["networks"] == ["stores"] for name in ("redis", "postgres"))


@pytest.mark.behaviour("deploy.drain")
@pytest.mark.parametrize("name", OURS)
def test_a_container_has_longer_than_its_drain(name: str) -> None:
    given = SERVICES[name]["environment"]
    plain = {key: value for key, value in given.items() if not key.endswith("_FILE")}
    grace_s = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= load(plain).drain_s + 10
    assert SERVICES[name]["depends_on"] == {
        "redis": {"condition": "service_healthy"},
        "postgres": {"condition": "service_healthy"},
    }
