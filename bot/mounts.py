"""What `MCP_SERVERS` says: the MCP servers whose tools the model may call, as values. Nothing is reached here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

REMOVED = "[removed]"

SECRET_CHARS = 8
"""Shorter values among `env` and `headers` are words such as `info`, which must not be masked wherever they stand."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Mounted(BaseModel):
    """What every server may say of itself.

    Args:
        name: its key in the JSON; stands before the name of a tool that another server has as well.
        tools: the only ones that are mounted, by the server's own names; all of them when absent.
        timeout_s: time for one call; `TOOL_TIMEOUT_S` when absent.
        verified: only people who are verified in the thread may use its tools.
        disabled: written down and not used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=64)
    tools: frozenset[str] | None = None
    timeout_s: float | None = Field(None, gt=0)
    verified: bool = False
    disabled: bool = False

    def secrets(self) -> frozenset[str]:
        """Values that must never be logged, answered, or shown to a model."""
        return frozenset()

    def mask(self, text: str) -> str:
        """The text without them."""
        for secret in sorted(self.secrets(), key=len, reverse=True):
            text = text.replace(secret, REMOVED)
        return text


class LocalMount(Mounted):
    """A server that is started as a program and spoken to over its standard input and output.

    Args:
        env: what it gets besides PATH, HOME and the like; nothing else of our own environment.
        cwd: its working folder; ours when absent.
    """

    type: Literal["stdio"] = "stdio"
    command: str = Field(min_length=1)
    args: tuple[str, ...] = ()
    env: Mapping[str, SecretStr] = Field(default_factory=dict)
    cwd: Path | None = None

    def secrets(self) -> frozenset[str]:
        """The values of `env`."""
        return _long({value.get_secret_value() for value in self.env.values()})


class RemoteMount(Mounted):
    """A server that is reached by streamable HTTP.

    Args:
        url: its address; may hold a secret, so it is never logged.
        token: sent as `Authorization: Bearer …`.
    """

    type: Literal["http", "streamable-http", "streamableHttp"] = "http"
    url: SecretStr
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    token: SecretStr | None = None

    def secrets(self) -> frozenset[str]:
        """The token, the values of headers (with and without a word such as `Bearer`), and what the address holds."""
        values = {value.get_secret_value() for value in self.headers.values()}
        values |= {value.rpartition(" ")[2] for value in values}
        address = urlsplit(self.url.get_secret_value())
        values |= {value for _, value in parse_qsl(address.query)} | {address.password or ""}
        if self.token is not None:
            values.add(self.token.get_secret_value())
        return _long(values)

    def all_headers(self) -> dict[str, str]:
        """What is sent with every request."""
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return headers | ({"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {})

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not re.match(r"https?://[^/]", self.url.get_secret_value()):
            raise ValueError("url must begin with https:// or http://")
        urlsplit(self.url.get_secret_value())
        if self.token is not None and "authorization" in {name.lower() for name in self.headers}:
            raise ValueError("give either token or an Authorization header")
        for name, value in self.all_headers().items():
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                raise ValueError(f"the header {name!r} cannot be sent; name and value are printable ASCII on one line")
        return self


Mount = LocalMount | RemoteMount


def _long(values: set[str]) -> frozenset[str]:
    return frozenset(value for value in values if len(value) >= SECRET_CHARS)


def parse_mounts(text: str, environment: Mapping[str, str]) -> tuple[Mount, ...]:
    """Read the JSON, or the file whose path it is.

    Args:
        environment: where `${NAME}` in a value is looked up.

    Raises:
        ValueError: says each thing that is wrong, and its place; holds no value.
    """
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        where = ""
    else:
        where = f"{stripped}: "
        try:
            stripped = Path(stripped).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ValueError(f"{where}cannot be read ({type(error).__name__}); write JSON or the path of it") from None
    try:
        read = orjson.loads(stripped)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{where}this is not JSON (line {error.lineno}, column {error.colno})") from None
    servers = read.get("mcpServers") if isinstance(read, dict) else None
    if not isinstance(servers, dict):
        raise ValueError(f'{where}write {{"mcpServers": {{"a name": {{"command": …}} or {{"url": …}}}}}}')
    problems: list[str] = []
    mounts = [_mount(name, value, environment, problems) for name, value in sorted(servers.items())]
    if problems:
        raise ValueError(where + "; ".join(problems))
    return tuple(mount for mount in mounts if mount is not None and not mount.disabled)


def _mount(name: str, value: Any, environment: Mapping[str, str], problems: list[str]) -> Mount | None:
    place = f"mcpServers.{name}"
    if not isinstance(value, dict):
        problems.append(f"{place} is not an object")
        return None
    missing = len(problems)
    value = _filled(value, environment, place, problems)
    kinds = {"command", "url"} & value.keys()
    if value.get("type") == "sse":
        problems.append(f"{place}.type: sse is not supported any more; use the server's streamable HTTP address")
    elif len(kinds) != 1:
        problems.append(f"{place} needs either command (a program) or url (streamable HTTP)")
    if len(problems) > missing:
        return None
    try:
        return (LocalMount if kinds == {"command"} else RemoteMount).model_validate({"name": name, **value})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems += [f"{'.'.join([place, *map(str, one['loc'])])}: {_sentence(one['msg'])}" for one in found]
        return None


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return "there is no such setting" if message.startswith("Extra inputs") else message


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _filled(value: Any, environment: Mapping[str, str], place: str, problems: list[str]) -> Any:
    """The same JSON with `${NAME}` replaced in its strings, so that a file can be kept where secrets cannot."""
    if isinstance(value, dict):
        return {key: _filled(item, environment, f"{place}.{key}", problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, environment, f"{place}.{at}", problems) for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    problems += [
        f"{place}: the environment has no {name}" for name in _VARIABLE.findall(value) if not environment.get(name)
    ]
    return _VARIABLE.sub(lambda found: environment.get(found[1], ""), value)
