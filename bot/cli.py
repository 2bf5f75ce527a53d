"""The command `frontdesk`; the only reader of the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
import uvloop
from dotenv import dotenv_values

from bot.app import (
    DEMO_PLATFORMS,
    Role,
    open_desk,
    open_mailbox,
    open_memory,
    open_switch,
    open_turn_log,
    running,
    slack_manifest,
    terminal,
)
from bot.check import REDIS_LOGIN, examine
from bot.collector import spare_the_loaded
from bot.config import Settings, load, with_files
from bot.demo import stand_in, with_handbook, with_stand_in
from bot.errors import ConfigError, Transient
from bot.messages import PersonRef, ThreadKey
from bot.observe import configure_logging
from bot.ports import Mailbox
from bot.replay import render, requests
from bot.report import render as render_report
from bot.report import to_csv
from bot.secrets import Masking

CONFIG_EXIT = 2

cli = typer.Typer(
    help="Answers customers in Slack, Discord and on a web page.", no_args_is_help=True, pretty_exceptions_enable=False
)
letters = typer.Typer(help="Turns that were given up after several tries.", no_args_is_help=True)
cli.add_typer(letters, name="dead-letters")

BANNER = """
  ┌{line}┐
  │  {first}  │
  │  {second}  │
  └{line}┘
"""


def main() -> None:
    """Run the command."""
    cli(prog_name="frontdesk")


@cli.command()
def run(
    only: Annotated[
        Role,
        typer.Option(
            help="`platforms`: sockets and HTTP alone; `workers`: turns alone; several of each work together."
        ),
    ] = Role.ALL,
) -> None:
    """Serve the platforms whose settings are present, until SIGTERM or Ctrl-C."""

    async def work(settings: Settings, environment: Mapping[str, str]) -> None:
        async with running(settings, environment, role=only) as app:
            does = "answers on" if only is Role.WORKERS else "serves"
            _say(f"Frontdesk {does} {', '.join(app.platforms)}; HTTP at {app.url}")
            await app.run()

    _main(work)


@cli.command()
def demo() -> None:
    """Try everything on this machine: the page, a real Redis, a demo shop, and a stand-in when no key is set."""

    async def work(settings: Settings, environment: Mapping[str, str]) -> None:
        async with AsyncExitStack() as stack:
            settings, who = await _demo_settings(stack, settings)
            app = await stack.enter_async_context(running(settings, environment, is_demo=True, registry=DEMO_PLATFORMS))
            first, second = f"Frontdesk is ready:  {app.url}/", "Open it in a browser. Ctrl-C stops."
            width = max(len(first), len(second))
            _say(BANNER.format(line="─" * (width + 4), first=first.ljust(width), second=second.ljust(width)))
            _say(f"  {who}\n  Conversations are kept in {settings.frontdesk_data_dir.absolute()}\n")
            await app.run()

    _main(work)


@cli.command()
def chat(
    name: Annotated[str, typer.Option(help="How you are called.")] = "You",
    tools: Annotated[bool, typer.Option(help="Show what is looked up.")] = True,
) -> None:
    """Talk in this terminal; `exit` and `quit` leave."""

    registry = terminal(sys.stdin, sys.stdout, name=name, show_tools=tools)

    async def work(settings: Settings, environment: Mapping[str, str]) -> None:
        async with AsyncExitStack() as stack:
            is_demo = settings.openai_api_key is None
            if is_demo:
                settings, who = await _demo_settings(stack, settings)
                _say(who)
            app = await stack.enter_async_context(
                running(settings, environment, is_demo=is_demo, registry=registry, http=False)
            )
            await app.run()

    _main(work, quiet=True)


@cli.command()
def replay(
    thread: Annotated[str, typer.Argument(help="As the log writes it: platform:space:channel:root.")],
    whole: Annotated[bool, typer.Option("--requests", help="Also print every request as it was sent.")] = False,
) -> None:
    """Print a conversation as it is on record, with what the model was asked before each of its answers."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        try:
            key = ThreadKey.parse(thread)
        except ValueError:
            raise ConfigError(f"{thread[:200]!r} is no thread; write platform:space:channel:root.") from None
        async with open_mailbox(settings) as mailbox:
            record = await mailbox.load(key)
        if not record.entries:
            _say("There is nothing on record for this thread.")
            raise typer.Exit(1)
        asked = {request.index: request for request in requests(record, budget_tokens=settings.history_tokens)}
        for index, entry in enumerate(record.entries):
            if index in asked:
                request = asked[index]
                _say(f"  --- asked with messages {request.start} to {index - 1} after the system prompt")
                for message in request.messages if whole else ():
                    _say(f"      {message.decode()}")
            _say(f"{index:4} {render(entry.turn)}")

    _main(work, quiet=True)


@cli.command()
def check() -> None:
    """Read the settings, reach Redis, the database and the model, and say what is missing and how to mend it."""

    async def work(settings: Settings, environment: Mapping[str, str]) -> None:
        findings = await examine(settings, environment)
        for finding in findings:
            _say(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.part}: {finding.told}")
        if not all(finding.ok for finding in findings):
            raise typer.Exit(CONFIG_EXIT)

    _main(work, quiet=True)


@cli.command()
def pause() -> None:
    """Have every worker stop answering within a second, everywhere; what people write is kept."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        async with open_switch(settings) as switch:
            await switch.off()
        _say("Paused everywhere. What people write is kept; `frontdesk resume` goes on, first with those who waited.")

    _main(work, quiet=True)


@cli.command()
def resume() -> None:
    """End what `frontdesk pause` began; whoever waited is answered first."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        async with open_switch(settings) as switch:
            waited = await switch.on()
        if waited is None:
            _say("Frontdesk is not paused.")
            raise typer.Exit(1)
        _say(f"Frontdesk answers again; conversations that waited: {waited}.")

    _main(work, quiet=True)


@cli.command()
def audit(
    count: Annotated[int, typer.Option("--last", min=1, max=100_000, help="How many entries.")] = 100,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
) -> None:
    """Print who ordered what, where, when and with what result, oldest first; nothing can change an entry."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        async with open_desk(settings) as desk:
            for entry in await desk.read_audit(tenant=tenant, limit=count):
                at = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
                _say(f"{at}  {entry.tenant}  {entry.actor}  {entry.action}  {entry.target}  {entry.result}")

    _main(work, quiet=True)


@cli.command()
def report(
    days: Annotated[int, typer.Option(min=1, help="How many days, today included; days begin at 0:00 UTC.")] = 7,
    tenant: Annotated[str, typer.Option(help="Whose conversations.")] = "default",
    as_csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet.")] = False,
) -> None:
    """Print conversations, hand-overs, response times, votes, tokens and cost, per day and channel."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        now = datetime.now(UTC)
        since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
        async with open_turn_log(settings) as turns:
            lines = await turns.report(tenant, since, now)
        _say(to_csv(lines, settings.currency).rstrip() if as_csv else render_report(lines, settings.currency))

    _main(work, quiet=True)


@cli.command("slack-manifest")
def print_slack_manifest(
    url: Annotated[str, typer.Option(help="For HTTP: where Slack reaches this server, https://…")] = "",
    many: Annotated[
        bool, typer.Option("--many", help="For many workspaces, which install the app themselves.")
    ] = False,
) -> None:
    """Print the Slack app's manifest for https://api.slack.com/apps: for Socket Mode, or with --url for HTTP."""
    if url and not url.startswith("https://"):
        raise typer.BadParameter("Slack sends to an address that begins with https:// only.", param_hint="--url")
    _say(slack_manifest(url.rstrip("/"), many=many).rstrip("\n"))


@cli.command()
def forget(
    person: Annotated[str, typer.Option(help="PLATFORM:SPACE:ID, such as slack:T024BE7LD:U0G9QF9C6.")],
) -> None:
    """Erase one person's conversations, receipts, secrets, uploads and votes, and show that nothing is left."""

    async def work(settings: Settings, _: Mapping[str, str]) -> None:
        try:
            who = PersonRef.parse(person)
        except ValueError:
            raise ConfigError(f"--person: {person[:200]!r} is nobody; write PLATFORM:SPACE:ID.") from None
        left = 0
        async with open_memory(settings) as stores:
            for name, store in stores.items():
                erased = await store.forget(who)
                _say(f"{name}: erased " + ", ".join(f"{count} {what}" for what, count in erased.items()))
            for name, store in stores.items():
                for place, searched in (await store.search(who)).items():
                    kept = " (the audit cannot be changed, and stays)" if place == "audit" and searched.found else ""
                    _say(f"{name}: looked at {searched.looked_at} in {place}, found {searched.found}{kept}")
                    left += 0 if place == "audit" else searched.found
        if left:
            _say("Something is left. Was the person writing at this moment? Run it again.", err=True)
            raise typer.Exit(1)
        _say(f"Nothing of {who} is left.")

    _main(work, quiet=True)


@letters.command("list")
def list_letters() -> None:
    """Print them, oldest first."""

    async def work(mailbox: Mailbox) -> None:
        found = await mailbox.dead_letters()
        for letter in found:
            _say(f"{letter.id}  {letter.at:%Y-%m-%d %H:%M:%S} UTC  {letter.reason}  {letter.thread} turn {letter.turn}")
        if not found:
            _say("There are no dead letters.")

    _with_mailbox(work)


@letters.command("retry")
def retry_letters(letter_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Or the word `all`.")]) -> None:
    """Have them answered, once."""
    _with_mailbox(lambda mailbox: _each(mailbox, letter_ids, mailbox.retry, "is due again"))


@letters.command("drop")
def drop_letters(letter_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Or the word `all`.")]) -> None:
    """Throw them away; what people wrote stays on the record."""
    _with_mailbox(lambda mailbox: _each(mailbox, letter_ids, mailbox.drop, "is dropped"))


async def _each(
    mailbox: Mailbox, letter_ids: list[str], act: Callable[[str], Coroutine[Any, Any, bool]], done: str
) -> None:
    if letter_ids == ["all"]:
        letter_ids = [letter.id for letter in await mailbox.dead_letters()]
    missing = 0
    for letter_id in letter_ids:
        there = await act(letter_id)
        _say(f"{letter_id} {done}" if there else f"{letter_id}: there is no such dead letter")
        missing += not there
    if missing:
        raise typer.Exit(1)


def _with_mailbox(work: Callable[[Mailbox], Coroutine[Any, Any, None]]) -> None:
    async def open_and_work(settings: Settings, _: Mapping[str, str]) -> None:
        async with open_mailbox(settings) as mailbox:
            await work(mailbox)

    _main(open_and_work, quiet=True)


async def _demo_settings(stack: AsyncExitStack, settings: Settings) -> tuple[Settings, str]:
    settings = with_handbook(settings)
    if settings.openai_api_key is not None:
        return settings, f"The model is {settings.openai_model} at {settings.openai_base_url or 'OpenAI'}."
    base_url = await stack.enter_async_context(stand_in())
    who = "No OPENAI_API_KEY is set: a rule-based stand-in plays the model, on this machine, offline."
    return with_stand_in(settings, base_url), who


Work = Callable[[Settings, Mapping[str, str]], Coroutine[Any, Any, None]]


def _main(work: Work, *, quiet: bool = False) -> None:
    """Read the settings and do the work; what the operator has to mend is a list, never a traceback."""
    try:
        environment = with_files({**_dotenv(), **os.environ})
        settings = load(environment)
        configure_logging(Masking(settings.secrets()), level=30 if quiet else 20)
        spare_the_loaded()
        uvloop.run(_until_stopped(work(settings, environment)))
    except ConfigError as error:
        _say("Frontdesk cannot start:", err=True)
        for problem in error.problems:
            _say(f"  - {problem}", err=True)
        raise typer.Exit(CONFIG_EXIT) from None
    except Transient as failure:
        _say(f"Frontdesk cannot go on: {_TRANSIENT.get(failure.reason, failure.reason)}", err=True)
        raise typer.Exit(CONFIG_EXIT) from None


_TRANSIENT = {
    "redis_unavailable": "Redis cannot be reached; check REDIS_URL and that the server runs.",
    "redis_refuses": f"Redis refuses us; {REDIS_LOGIN}",
    "database_unavailable": "the database cannot be reached; check DATABASE_URL and that the server runs.",
}


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Do the work; SIGTERM and Ctrl-C end it in good order, a second one at once."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        _say("\nStopping: running answers are completed, everything is kept. (Again: stop at once.)", err=True)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _dotenv() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(".env").items() if value is not None}


def _say(text: str, *, err: bool = False) -> None:
    typer.echo(text, err=err)
