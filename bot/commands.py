"""What each command of `frontdesk` does with the settings; `bot/cli.py` says how it is called."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import typer

from bot import report as reports
from bot.app import (
    DEMO_PLATFORMS,
    PLATFORMS,
    open_desk,
    open_mailbox,
    open_memory,
    open_switch,
    open_turn_log,
    running,
    terminal,
)
from bot.check import examine
from bot.collector import spare_the_loaded
from bot.config import Settings
from bot.demo import stand_in, with_handbook, with_stand_in
from bot.errors import CONFIG_EXIT, ConfigError
from bot.messages import PersonRef, ThreadKey
from bot.pauses import OPERATOR
from bot.ports import Mailbox
from bot.questions import SEVERAL, read_questions
from bot.replay import render, requests
from bot.roles import Role

UNRESOLVED = 50
"""Questions that `report` lists."""

BANNER = """
  ┌{line}┐
  │  {first}  │
  │  {second}  │
  └{line}┘
"""


def say(text: str, *, err: bool = False) -> None:
    """Print."""
    typer.echo(text, err=err)


# --------------------------------------------------------------------------------------------------------- serving


async def run(settings: Settings, environment: Mapping[str, str], *, only: Role) -> None:
    """Serve until cancelled."""
    async with running(settings, environment, role=only) as app:
        does = "answers on" if only is Role.WORKERS else "serves"
        say(f"Frontdesk {does} {', '.join(app.platforms)}; HTTP at {app.url}")
        spare_the_loaded()
        await app.run()


async def demo(settings: Settings, environment: Mapping[str, str]) -> None:
    """Serve the page to whoever sits here, until cancelled."""
    async with AsyncExitStack() as stack:
        settings, who = await _demo_settings(stack, settings)
        app = await stack.enter_async_context(running(settings, environment, is_demo=True, registry=DEMO_PLATFORMS))
        first, second = f"Frontdesk is ready:  {app.url}/", "Open it in a browser. Ctrl-C stops."
        width = max(len(first), len(second))
        say(BANNER.format(line="─" * (width + 4), first=first.ljust(width), second=second.ljust(width)))
        say(f"  {who}\n  Conversations are kept in {settings.frontdesk_data_dir.absolute()}\n")
        spare_the_loaded()
        await app.run()


async def chat(settings: Settings, environment: Mapping[str, str], *, name: str, show_tools: bool) -> None:
    """Talk in this terminal until the end of its input."""
    registry = terminal(sys.stdin, sys.stdout, name=name, show_tools=show_tools)
    async with AsyncExitStack() as stack:
        is_demo = settings.openai_api_key is None
        if is_demo:
            settings, who = await _demo_settings(stack, settings)
            say(who)
        app = await stack.enter_async_context(
            running(settings, environment, is_demo=is_demo, registry=registry, http=False)
        )
        await app.run()


async def _demo_settings(stack: AsyncExitStack, settings: Settings) -> tuple[Settings, str]:
    settings = with_handbook(settings)
    if settings.openai_api_key is not None:
        return settings, f"The model is {settings.openai_model} at {settings.openai_base_url or 'OpenAI'}."
    base_url = await stack.enter_async_context(stand_in())
    who = "No OPENAI_API_KEY is set: a rule-based stand-in plays the model, on this machine, offline."
    return with_stand_in(settings, base_url), who


async def check(settings: Settings, environment: Mapping[str, str]) -> None:
    """Print what was found of each part."""
    findings = await examine(settings, environment)
    for finding in findings:
        say(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.part}: {finding.told}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(CONFIG_EXIT)


# ------------------------------------------------------------------------------------------------------- operating


async def pause(settings: Settings, _: Mapping[str, str]) -> None:
    """Turn the operator's switch off."""
    async with open_switch(settings) as switch:
        await switch.off()
    say("Paused everywhere. What people write is kept; `frontdesk resume` goes on, first with those who waited.")


async def resume(settings: Settings, _: Mapping[str, str]) -> None:
    """Turn the operator's switch on."""
    async with open_switch(settings) as switch:
        waited = await switch.on()
    if waited is None:
        say("Frontdesk is not paused.")
        raise typer.Exit(1)
    say(f"Frontdesk answers again; conversations that waited: {waited}.")


async def audit(settings: Settings, _: Mapping[str, str], *, count: int, tenant: str | None) -> None:
    """Print the last entries."""
    async with open_desk(settings) as desk:
        entries = await desk.read_audit(tenant=tenant, limit=count)
        if not entries:
            say(f"Nothing is on the audit{_of(settings, tenant)}.")
        for entry in entries:
            at = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
            say(f"{at}  {entry.tenant}  {entry.actor}  {entry.action}  {entry.target}  {entry.result}")


async def report(settings: Settings, _: Mapping[str, str], *, days: int, tenant: str, as_csv: bool) -> None:
    """Print a line for each day and channel, then the questions that were not resolved."""
    now = datetime.now(UTC)
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    async with open_turn_log(settings) as turns:
        lines = await turns.report(tenant, since, now)
        found = [] if as_csv else await turns.unresolved(tenant, since, now, UNRESOLVED * SEVERAL)
    if lines or as_csv:
        say(reports.to_csv(lines, settings.currency).rstrip() if as_csv else reports.render(lines, settings.currency))
    else:
        say(f"Nothing happened in this time{_of(settings, tenant)}.")
    if found:
        async with open_mailbox(settings) as mailbox:
            say(f"\n{reports.render_questions(await read_questions(mailbox, found, UNRESOLVED))}")


async def replay(settings: Settings, _: Mapping[str, str], *, thread: str, whole: bool) -> None:
    """Print the record, and where the model was asked."""
    try:
        key = ThreadKey.parse(thread)
    except ValueError:
        raise ConfigError(f"{thread[:200]!r} is no thread; write platform:space:channel:root.") from None
    async with open_mailbox(settings) as mailbox:
        record = await mailbox.load(key)
    if not record.entries:
        say("There is nothing on record for this thread.")
        raise typer.Exit(1)
    asked = {request.index: request for request in requests(record, budget_tokens=settings.history_tokens)}
    for index, entry in enumerate(record.entries):
        if index in asked:
            request = asked[index]
            say(f"  --- asked with messages {request.start} to {index - 1} after the system prompt")
            for message in request.messages if whole else ():
                say(f"      {message.decode()}")
        say(f"{index:4} {render(entry.turn)}")


async def forget(settings: Settings, _: Mapping[str, str], *, person: str) -> None:
    """Erase a person in every store, then look everywhere."""
    try:
        who = PersonRef.parse(person)
    except ValueError:
        raise ConfigError(f"--person: {person[:200]!r} is nobody; write PLATFORM:SPACE:ID.") from None
    if who.platform not in PLATFORMS:
        raise ConfigError(f"--person: {who.platform[:40]!r} is no platform; it is one of {_listed(PLATFORMS)}.")
    left = there = 0
    async with open_desk(settings) as desk, open_memory(settings) as stores:
        for name, store in stores.items():
            erased = await store.forget(who)
            there += sum(erased.values())
            say(f"{name}: erased " + ", ".join(f"{count} {what}" for what, count in erased.items()))
        for name, store in stores.items():
            for place, searched in (await store.search(who)).items():
                kept = " (the audit cannot be changed, and stays)" if place == "audit" and searched.found else ""
                say(f"{name}: looked at {searched.looked_at} in {place}, found {searched.found}{kept}")
                left += 0 if place == "audit" else searched.found
        target = f"one person on {who.platform}"  # the audit is kept for ever, and a name is not to be
        await desk.record_audit(
            settings.tenant_of(who.space), actor=OPERATOR, action="forget", target=target, result=f"{there} erased"
        )
    if left:
        say("Something is left. Was the person writing at this moment? Run it again.", err=True)
        raise typer.Exit(1)
    say(f"Nothing of {who} is left." if there else f"Nothing of {who} was here; is it the id as the log writes it?")


def _of(settings: Settings, tenant: str | None) -> str:
    """Whose nothing it is; a tenant that no setting names is perhaps one that was meant otherwise."""
    known = {"default", *settings.tenants.values()}
    if tenant is None or tenant in known:
        return f" of {tenant}" if tenant not in (None, "default") else ""
    return f" of {tenant[:80]!r}, which is no tenant of TENANTS; there are {_listed(known)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


# ---------------------------------------------------------------------------------------------------- dead letters


async def list_letters(settings: Settings, _: Mapping[str, str]) -> None:
    """Print them, oldest first."""
    async with open_mailbox(settings) as mailbox:
        found = await mailbox.dead_letters()
    for letter in found:
        say(f"{letter.id}  {letter.at:%Y-%m-%d %H:%M:%S} UTC  {letter.reason}  {letter.thread} turn {letter.turn}")
    if not found:
        say("There are no dead letters.")


async def retry_letters(settings: Settings, _: Mapping[str, str], *, letter_ids: Sequence[str]) -> None:
    """Have them answered."""
    await _each(settings, letter_ids, "retry", lambda mailbox: mailbox.retry, "is due again")


async def drop_letters(settings: Settings, _: Mapping[str, str], *, letter_ids: Sequence[str]) -> None:
    """Throw them away."""
    await _each(settings, letter_ids, "drop", lambda mailbox: mailbox.drop, "is dropped")


async def _each(
    settings: Settings,
    letter_ids: Sequence[str],
    verb: str,
    way: Callable[[Mailbox], Callable[[str], Awaitable[bool]]],
    done: str,
) -> None:
    """Do it to each; what was done is on the audit, as what admins order is."""
    async with open_desk(settings) as desk, open_mailbox(settings) as mailbox:
        threads = {letter.id: letter.thread for letter in await mailbox.dead_letters()}
        chosen = list(threads) if list(letter_ids) == ["all"] else letter_ids
        if not chosen:
            say("There are no dead letters.")
        missing = 0
        for letter_id in chosen:
            there = await way(mailbox)(letter_id)
            say(f"{letter_id} {done}" if there else f"{letter_id}: there is no such dead letter")
            missing += not there
            if there and (thread := threads.get(letter_id)) is not None:
                tenant, action = settings.tenant_of(thread.space), f"dead-letters {verb} {letter_id}"
                await desk.record_audit(tenant, actor=OPERATOR, action=action, target=str(thread), result="done")
    if missing:
        raise typer.Exit(1)
