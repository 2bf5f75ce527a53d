"""Every setting: its type, unit, default, and what it is for. One readable error lists everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from bot.budget import Allowance, Limits, Prices
from bot.errors import ConfigError
from bot.messages import DEFAULT_TENANT
from bot.mounts import Mount, parse_mounts

ADDRESS = r"^https?://[^\s/]"


def _listed(value: object) -> object:
    return [part for part in re.split(r"[\s,]+", value) if part] if isinstance(value, str) else value


def _mapped(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in re.split(r"[\s,]+", value) if part]
    if any(not (name and equals and tenant) for name, equals, tenant in pairs):
        raise ValueError("write it as space=tenant, space=tenant")
    return {name: tenant for name, _, tenant in pairs}


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError("write a JSON object") from None


def _allowed(value: object) -> object:
    return Allowance.parse(value) if isinstance(value, str) else value


def _mounted(value: object, info: ValidationInfo) -> object:
    return parse_mounts(value, (info.context or {}).get("environment", {})) if isinstance(value, str) else value


Listed = Annotated[frozenset[str], BeforeValidator(_listed)]
Extra = Annotated[dict[str, Any], BeforeValidator(_parsed)]
Tenants = Annotated[dict[str, str], BeforeValidator(_mapped)]
Budget = Annotated[Allowance, BeforeValidator(_allowed)]
Mounts = Annotated[tuple[Mount, ...], BeforeValidator(_mounted)]


class Settings(BaseModel):
    """The settings of one process. Names are those of the environment; a secret can also come as `NAME_FILE`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    openai_api_key: SecretStr | None = Field(None, description="Key of the OpenAI-compatible endpoint.")
    openai_base_url: str | None = Field(
        None, pattern=ADDRESS, description="The endpoint's address, up to and with /v1; OpenAI's when absent."
    )
    openai_model: str = Field("gpt-5-mini", min_length=1, description="Model that talks with customers.")
    openai_vision_model: str | None = Field(None, description="Model that reads pictures; OPENAI_MODEL when absent.")

    openai_extra: Extra = Field(
        default_factory=dict, description="JSON object merged into every request, such as temperature or a cache hint."
    )
    openai_stream_usage: bool = Field(
        True, description="Ask for token counts with each stream; false for an endpoint that refuses stream_options."
    )

    redis_url: SecretStr | None = Field(
        None,
        description="Redis that keeps conversations: redis://, rediss://, unix://, redis+cluster://host:port,… or "
        "redis+sentinel://host:port,…/service; an embedded one when absent.",
    )
    database_url: SecretStr | None = Field(
        None, description="sqlite:///… or postgresql://…; a file in the data folder when absent."
    )
    frontdesk_data_dir: Path = Field(Path(".frontdesk"), description="The data folder.")
    frontdesk_secret_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Seals what people type as secrets, 16 characters or more; made in the data folder when absent.",
    )

    http_host: str = Field("127.0.0.1", description="Address of the one HTTP port.")
    http_port: int = Field(8080, ge=0, le=65_535, description="The one HTTP port; 0 takes a free one and prints it.")
    web_token: SecretStr | None = Field(
        None, min_length=16, description="Opens the web page in production, 16 characters or more."
    )
    public_url: str | None = Field(
        None, pattern=ADDRESS, description="Address under which customers reach the HTTP port."
    )

    handbook: Path | None = Field(
        None, description="Markdown file or folder: who the company is, tone, policies, questions."
    )
    handbook_tokens: int = Field(20_000, gt=0, description="How long the handbook may be, in tokens.")
    link_hosts: Listed = Field(frozenset(), description="Hosts that an answer may link to, with their subdomains.")
    tenants: Tenants = Field(
        default_factory=dict, description="space=tenant pairs; every other space is tenant `default`."
    )
    mcp_servers: Mounts = Field(
        (), description="MCP servers whose tools the model may call: the usual mcpServers JSON, or its path."
    )
    retention_days: float = Field(30, gt=0, description="How long an idle conversation is kept, in days.")

    max_steps: int = Field(25, ge=1, description="Rounds of tool calls in one turn.")
    max_calls_per_step: int = Field(8, ge=1, description="Calls of one round that run.")
    max_attempts: int = Field(4, ge=1, description="Tries at one turn before it becomes a dead letter.")
    history_tokens: int = Field(60_000, ge=500, description="Budget of the history that a model is sent, in tokens.")
    turn_timeout_s: float = Field(90, gt=0, description="Time for one try at a turn, in seconds.")
    tool_timeout_s: float = Field(10, gt=0, description="Time for a tool that names none of its own, in seconds.")
    model_stall_timeout_s: float = Field(
        20, gt=0, description="Longest silence of a model inside an answer, in seconds."
    )
    model_first_byte_timeout_s: float = Field(
        30, gt=0, description="Longest silence of a model before its answer begins, in seconds."
    )
    model_timeout_s: float = Field(60, gt=0, description="Time for one request to the model, in seconds.")
    lease_s: float = Field(
        15, gt=0, description="How long a claimed thread is kept without a sign of life, in seconds."
    )
    drain_s: float = Field(25, ge=0, description="How long running turns may take to end at a stop, in seconds.")
    debounce_ms: int = Field(
        0, ge=0, description="How long to wait for further messages before a turn begins, in milliseconds."
    )
    partitions: int = Field(
        1, ge=1, le=1_024, description="Partitions of the mailbox; the same in every process, for ever."
    )
    worker_concurrency: int = Field(50, ge=1, description="Turns that one process works on at once.")
    inbox_limit: int = Field(50, ge=1, description="Messages that may wait in one thread.")
    open_limit: int = Field(5_000, ge=1, description="Messages accepted and not settled, in one partition.")
    verified_minutes: float = Field(30, gt=0, description="How long a proof of identity holds, in minutes.")
    human_reminder_minutes: float = Field(
        15, gt=0, description="How long a customer waits for a human before the team is reminded, in minutes."
    )
    tickets_per_day: int = Field(5, ge=1, description="Tickets that one person may open in 24 hours.")

    currency: str = Field("USD", max_length=8, description="The currency of the prices, as reports write it.")
    price_per_million_input_tokens: float = Field(
        0, ge=0, description="What a million tokens cost that a model reads, in that currency; 0: money is not counted."
    )
    price_per_million_cached_tokens: float = Field(
        0, ge=0, description="What a million tokens cost that a model reads from its provider's cache."
    )
    price_per_million_output_tokens: float = Field(
        0, ge=0, description="What a million tokens cost that a model writes."
    )
    budget_turn: Budget = Field(
        Allowance(calls=40, tokens=2_000_000),
        description="What one turn may spend on models: calls=… tokens=… money=… (in the currency of the prices).",
    )
    budget_thread: Budget = Field(
        Allowance(calls=500, tokens=10_000_000), description="What one thread may spend within 24 hours."
    )
    budget_person: Budget = Field(
        Allowance(calls=800, tokens=15_000_000), description="What one person may spend within 24 hours."
    )
    budget_organisation: Budget = Field(
        Allowance(calls=10_000, tokens=200_000_000), description="What one organisation may spend within 24 hours."
    )
    budget_day: Budget = Field(
        Allowance(), description="What all conversations together may spend within 24 hours; no limit when absent."
    )
    messages_per_hour: int = Field(
        120, ge=0, description="Messages of one person that are taken within an hour; 0: as many as come."
    )
    breaker_failures: int = Field(
        8, ge=1, description="Failures in a row after which a tool, or the model, is left alone for a while."
    )
    breaker_rest_s: float = Field(
        15, gt=0, description="How long it is left alone before it is tried again, in seconds."
    )

    @model_validator(mode="after")
    def _shared_redis_needs_a_key(self) -> Self:
        if self.redis_url is not None and self.frontdesk_secret_key is None:
            raise ValueError(
                "FRONTDESK_SECRET_KEY is required when REDIS_URL is set: every process must open what another one "
                "sealed. Make one with: openssl rand -hex 32"
            )
        return self

    @model_validator(mode="after")
    def _calls_end_before_turns(self) -> Self:
        for mount in self.mcp_servers:
            if (mount.timeout_s or 0) >= self.turn_timeout_s:
                raise ValueError(
                    f"MCP_SERVERS: mcpServers.{mount.name}.timeout_s must be less than TURN_TIMEOUT_S "
                    f"({self.turn_timeout_s:g})"
                )
        return self

    @property
    def vision_model(self) -> str:
        """The model that reads pictures."""
        return self.openai_vision_model or self.openai_model

    @property
    def limits(self) -> Limits:
        """What may be spent."""
        return Limits(
            turn=self.budget_turn,
            thread=self.budget_thread,
            person=self.budget_person,
            organisation=self.budget_organisation,
            day=self.budget_day,
            messages_per_hour=self.messages_per_hour,
        )

    @property
    def prices(self) -> Prices:
        """What models cost."""
        return Prices(
            input=self.price_per_million_input_tokens,
            cached=self.price_per_million_cached_tokens,
            output=self.price_per_million_output_tokens,
        )

    def tenant_of(self, space: str) -> str:
        """The tenant that an installed team or guild belongs to."""
        return self.tenants.get(space, DEFAULT_TENANT)

    def fingerprint(self) -> str:
        """Names these settings, as far as they are no secrets: equal ones have the same."""
        values = self.model_dump(mode="json")
        return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()

    def secrets(self) -> frozenset[str]:
        """The values that must never be logged, traced or answered."""
        values = (getattr(self, name) for name in type(self).model_fields)
        own = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return frozenset(own).union(*(mount.secrets() for mount in self.mcp_servers))


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings; empty values count as absent, and white space around a value is not part of it.

    Raises:
        ConfigError: lists everything that is wrong.
    """
    environment = trimmed(environment)
    values = {name: environment[name.upper()] for name in Settings.model_fields if environment.get(name.upper())}
    try:
        return Settings.model_validate(values, context={"environment": environment})
    except ValidationError as error:
        problems = [
            _problem(problem["loc"], problem["msg"], least=problem.get("ctx", {}).get("min_length"))
            for problem in error.errors(include_url=False)
        ]
    raise ConfigError(*problems)


def trimmed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without white space around values: a secret that was made with `echo` ends with a line break."""
    return {name: value.strip() for name, value in environment.items()}


def with_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, trimmed, with the content of each `NAME_FILE` whose `NAME` is absent: container secrets come so.

    Raises:
        ConfigError: a file cannot be read.
    """
    given, problems = trimmed(environment), []
    values = dict(given)
    for name, path in given.items():
        if not name.endswith("_FILE") or not path or given.get(name.removesuffix("_FILE")):
            continue
        if not name.startswith(_FILE_PREFIXES):
            continue
        try:
            values[name.removesuffix("_FILE")] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}: {path} cannot be read ({type(error).__name__}); name a readable text file.")
    if problems:
        raise ConfigError(*problems)
    return values


def secrets_in(environment: Mapping[str, str]) -> frozenset[str]:
    """The secrets among the settings that adapters read by themselves; some show by no form what they are."""
    return frozenset(value for name, value in environment.items() if value and _ADAPTERS_SECRET.fullmatch(name))


_ADAPTERS_SECRET = re.compile(r"(?:SLACK|DISCORD)_\w*(?:TOKEN|SECRET)|OTEL_\w+_HEADERS")
_FILE_PREFIXES = ("OPENAI_", "REDIS_", "DATABASE_", "FRONTDESK_", "WEB_", "SLACK_", "DISCORD_")


def _problem(place: tuple[int | str, ...], message: str, *, least: int | None) -> str:
    message = message.removeprefix("Value error, ")
    if message.startswith("String should match pattern"):  # addresses alone have one
        message = "an address begins with https:// or http://"
    if least is not None and least > 1:  # secrets alone have to be longer than that
        return f"{str(place[0]).upper()}: shorter than {least} characters; make one with `openssl rand -hex 32`."
    return f"{str(place[0]).upper()}: {message}." if place else message
