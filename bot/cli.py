"""The command `frontdesk`: how it is called. It is the only reader of the environment.

What a command does stands in `bot/commands.py`, which is loaded when one runs: `--help` answers at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import CONFIG_EXIT, ConfigError, Transient
from bot.roles import Role

if TYPE_CHECKING:
    from bot.config import Settings

cli = typer.Typer(
    help="Answers customers in Slack, Discord and on a web page.", no_args_is_help=True, pretty_exceptions_enable=False
)
letters = typer.Typer(help="Turns that were given up after several tries.", no_args_is_help=True)
cli.add_typer(letters, name="dead-letters")


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
    from bot import commands

    _main(partial(commands.run, only=only))


@cli.command()
def demo() -> None:
    """Try everything on this machine: the page, a real Redis, a demo shop, and a stand-in when no key is set."""
    from bot import commands

    _main(commands.demo)


@cli.command()
def chat(
    name: Annotated[str, typer.Option(help="How you are called.")] = "You",
    tools: Annotated[bool, typer.Option(help="Show what is looked up.")] = True,
) -> None:
    """Talk in this terminal; `exit` and `quit` leave."""
    from bot import commands

    _main(partial(commands.chat, name=name, show_tools=tools), quiet=True)


@cli.command()
def replay(
    thread: Annotated[str, typer.Argument(help="As the log writes it: platform:space:channel:root.")],
    whole: Annotated[bool, typer.Option("--requests", help="Also print every request as it was sent.")] = False,
) -> None:
    """Print a conversation as it is on record, with what the model was asked before each of its answers."""
    from bot import commands

    _main(partial(commands.replay, thread=thread, whole=whole), quiet=True)


@cli.command()
def check() -> None:
    """Read the settings, reach Redis, the database and the model, and say what is missing and how to mend it."""
    from bot import commands

    _main(commands.check, quiet=True)


@cli.command()
def pause() -> None:
    """Have every worker stop answering within a second, everywhere; what people write is kept."""
    from bot import commands

    _main(commands.pause, quiet=True)


@cli.command()
def resume() -> None:
    """End what `frontdesk pause` began; whoever waited is answered first."""
    from bot import commands

    _main(commands.resume, quiet=True)


@cli.command()
def audit(
    count: Annotated[int, typer.Option("--last", min=1, max=100_000, help="How many entries.")] = 100,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
) -> None:
    """Print who ordered what, where, when and with what result, oldest first; nothing can change an entry."""
    from bot import commands

    _main(partial(commands.audit, count=count, tenant=tenant), quiet=True)


@cli.command()
def report(
    days: Annotated[int, typer.Option(min=1, help="How many days, today included; days begin at 0:00 UTC.")] = 7,
    tenant: Annotated[str, typer.Option(help="Whose conversations.")] = "default",
    as_csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet.")] = False,
) -> None:
    """Print conversations, hand-overs, response times, votes, tokens and cost, per day and channel.

    Then the questions that were not resolved, with the threads in which they were asked.
    """
    from bot import commands

    _main(partial(commands.report, days=days, tenant=tenant, as_csv=as_csv), quiet=True)


@cli.command("slack-manifest")
def print_slack_manifest(
    url: Annotated[str, typer.Option(help="For HTTP: where Slack reaches this server, https://…")] = "",
    many: Annotated[
        bool, typer.Option("--many", help="For many workspaces, which install the app themselves.")
    ] = False,
) -> None:
    """Print the Slack app's manifest for https://api.slack.com/apps: for Socket Mode, or with --url for HTTP."""
    from bot.app import slack_manifest

    if url and not url.startswith("https://"):
        raise typer.BadParameter("Slack sends to an address that begins with https:// only.", param_hint="--url")
    typer.echo(slack_manifest(url.rstrip("/"), many=many).rstrip("\n"))


@cli.command()
def forget(
    person: Annotated[str, typer.Option(help="PLATFORM:SPACE:ID, such as slack:T024BE7LD:U0G9QF9C6.")],
) -> None:
    """Erase one person's conversations, receipts, secrets, uploads and votes, and show that nothing is left."""
    from bot import commands

    _main(partial(commands.forget, person=person), quiet=True)


@letters.command("list")
def list_letters() -> None:
    """Print them, oldest first."""
    from bot import commands

    _main(commands.list_letters, quiet=True)


@letters.command("retry")
def retry_letters(letter_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Or the word `all`.")]) -> None:
    """Have them answered, once."""
    from bot import commands

    _main(partial(commands.retry_letters, letter_ids=letter_ids), quiet=True)


@letters.command("drop")
def drop_letters(letter_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Or the word `all`.")]) -> None:
    """Throw them away; what people wrote stays on the record."""
    from bot import commands

    _main(partial(commands.drop_letters, letter_ids=letter_ids), quiet=True)


def _main(work: Callable[[Settings, Mapping[str, str]], Coroutine[Any, Any, None]], *, quiet: bool = False) -> None:
    """Read the settings and do the work; what the operator has to mend is a list, never a traceback."""
    import uvloop

    from bot.config import load, secrets_in, with_files
    from bot.observe import configure_logging
    from bot.secrets import Masking

    try:
        environment = with_files({**_dotenv(), **os.environ})
        settings = load(environment)
        configure_logging(Masking(settings.secrets() | secrets_in(environment)), level=30 if quiet else 20)
        uvloop.run(_until_stopped(work(settings, environment)))
    except ConfigError as error:
        typer.echo("This cannot be done:" if quiet else "Frontdesk cannot start:", err=True)
        for problem in error.problems:
            typer.echo(f"  - {problem}", err=True)
        raise typer.Exit(CONFIG_EXIT) from None
    except Transient as failure:
        typer.echo(f"Frontdesk cannot go on: {_why(failure)}", err=True)
        raise typer.Exit(CONFIG_EXIT) from None


def _why(failure: Transient) -> str:
    from bot.check import REDIS_LOGIN

    told = {
        "redis_unavailable": "Redis cannot be reached; check REDIS_URL and that the server runs.",
        "redis_refuses": f"Redis refuses us; {REDIS_LOGIN}",
        "database_unavailable": "the database cannot be reached; check DATABASE_URL and that the server runs.",
    }
    return told.get(failure.reason, failure.reason)


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Do the work; SIGTERM and Ctrl-C end it in good order, a second one at once."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        typer.echo("\nStopping: running answers are completed, everything is kept. (Again: stop at once.)", err=True)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _dotenv() -> dict[str, str]:
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(".env").items() if value is not None}
