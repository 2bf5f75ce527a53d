"""The private form by which a person proves to be a customer: offered by code, checked by code, never seen by a model."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from bot.messages import FormSubmitted, Person, ThreadKey
from bot.ports import Desk, Form, SharedState
from bot.principal import Grants, Principal, person_ref
from bot.sentences import FORM_MISMATCH, FORM_NOT_YOURS, FORM_TOO_OFTEN

FORM_TTL_S = 3600.0
ATTEMPTS_PER_HOUR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The end of a submitted form: a principal who is verified, or what to tell the person who tried."""

    principal: Principal | None = None
    told: str = ""


class Verification:
    """Offers and checks the form. One form per person and thread is open at a time.

    Args:
        state: where open forms and attempts are kept.
        grants: where a proof is kept.
        desk: knows the customers.
    """

    def __init__(self, state: SharedState, grants: Grants, desk: Desk) -> None:
        self._state = state
        self._grants = grants
        self._desk = desk

    async def form(self, thread: ThreadKey, person: Person) -> Form:
        """The form for this person in this thread; the one that is open already, if there is one."""
        key = f"open/{thread}/{person.id}"
        fresh = secrets.token_urlsafe(12).encode()
        await self._state.compare_and_set(key, None, fresh, ttl_s=FORM_TTL_S)
        form_id = (await self._state.get(key) or fresh).decode()
        return Form(
            id=form_id,
            title="Verify that it is you",
            fields={"username": "Username", "api_key": "API key"},
            secret_fields=frozenset({"api_key"}),
        )

    async def submit(self, event: FormSubmitted, tenant: str) -> Checked:
        """Check what was typed; a success is granted for this person in this thread."""
        key = f"open/{event.thread}/{event.author.id}"
        if await self._state.get(key) != event.form_id.encode():
            return Checked(told=FORM_NOT_YOURS)
        attempts = await self._state.increment(f"attempts/{person_ref(event.thread, event.author.id)}", ttl_s=3600.0)
        if attempts > ATTEMPTS_PER_HOUR:
            return Checked(told=FORM_TOO_OFTEN)
        typed = {name: event.fields.get(name, "")[:200] for name in ("username", "api_key")}
        customer = await self._desk.check_customer(tenant, typed["username"].strip(), typed["api_key"].strip())
        if customer is None:
            return Checked(told=FORM_MISMATCH)
        return Checked(principal=await self._grants.grant(event.thread, event.author.id, customer))

    async def close(self, event: FormSubmitted) -> None:
        """The form has done its work and opens nothing more."""
        await self._state.delete(f"open/{event.thread}/{event.author.id}")
