"""How a person proves to be a customer: by a private form, offered and checked by code, or by a key that they typed.

Both ways end in `Verification.check`, so that tries are counted together.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pydantic import SecretStr

from bot.attempts import Attempts
from bot.errors import ToolDenied, Transient
from bot.messages import FormSubmitted, Person, ThreadKey
from bot.ports import Desk, Form, SharedState
from bot.principal import Grants, Principal, person_ref
from bot.sentences import FORM_MISMATCH, FORM_NOT_YOURS, FORM_TOO_OFTEN

FORM_TTL_S = 3600.0

TRIES = Attempts(limit=5, window_s=3600.0, pause_s=3600.0)
"""Five tries an hour for a person of a tenant, right ones counted too."""

_USERNAME_LIMIT_CHARS = 200

_DENIED = {
    "too_many_tries": (
        "There were too many tries to verify within an hour. Ask the customer to try again later, or offer to hand "
        "over to a human colleague."
    ),
    "verification_failed": (
        "The username and the key do not belong together. Do not say which of them might be wrong; the customer may "
        "try again with the private form."
    ),
}
"""What a model is told; people who used the form are told `_TOLD`."""

_TOLD = {"too_many_tries": FORM_TOO_OFTEN, "verification_failed": FORM_MISMATCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The end of a submitted form: a principal who is verified, or what to tell the person who tried."""

    principal: Principal | None = None
    told: str = ""


class Verification:
    """Checks who a customer is, and offers the form for it. One form per person and thread is open at a time.

    Args:
        state: where open forms and tries are kept.
        grants: where a proof is kept.
        desk: knows the customers, and keeps who tried.
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
        open_ = await self._state.get(key) or fresh
        await self._state.compare_and_set(key, open_, open_, ttl_s=FORM_TTL_S)  # offered again, with its whole time
        form_id = open_.decode()
        return Form(
            id=form_id,
            title="Verify that it is you",
            fields={"username": "Username", "api_key": "API key"},
            secret_fields=frozenset({"api_key"}),
        )

    async def check(
        self, thread: ThreadKey, author_id: str, tenant: str, username: str, key: SecretStr, attempt: str
    ) -> Principal:
        """Count a try, then make it; a right key is granted to this person in this thread.

        Args:
            attempt: names the try; one that is repeated under its name after a crash is still one try.

        Raises:
            ToolDenied: `too_many_tries`, or `verification_failed`, the same for an unknown name and a wrong key.
            Transient: the check could not be made; it counts as no try.
        """
        who = f"{tenant}/{person_ref(thread, author_id)}"
        if not await TRIES.begin(self._state, who, attempt):
            raise await self._denied(thread, author_id, tenant, "too_many_tries")
        try:
            customer = await self._desk.check_customer(
                tenant, username[:_USERNAME_LIMIT_CHARS].strip(), key.get_secret_value()
            )
        except Transient:
            await TRIES.forgive(self._state, who, attempt)
            raise
        if customer is None:
            raise await self._denied(thread, author_id, tenant, "verification_failed")
        await self._audit(thread, author_id, tenant, customer, "verified")
        return await self._grants.grant(thread, author_id, customer)

    async def submit(self, event: FormSubmitted, tenant: str) -> Checked:
        """Check what was typed into a form; a success is granted for this person in this thread.

        Raises:
            Transient: the check could not be made.
        """
        thread, author_id = event.thread, event.author.id
        if await self._state.get(f"open/{thread}/{author_id}") != event.form_id.encode():
            await self._audit(thread, author_id, tenant, str(thread), "form_not_yours")
            return Checked(told=FORM_NOT_YOURS)
        username, key = (event.fields.get(name, "").strip() for name in ("username", "api_key"))
        # A name of its own for every submission: the same event with another key in it would be another guess.
        attempt = f"form/{secrets.token_hex(8)}"
        try:
            principal = await self.check(thread, author_id, tenant, username, SecretStr(key), attempt)
        except ToolDenied as denied:
            return Checked(told=_TOLD[denied.code])
        return Checked(principal=principal)

    async def close(self, event: FormSubmitted) -> None:
        """The form has done its work and opens nothing more."""
        await self._state.delete(f"open/{event.thread}/{event.author.id}")

    async def forget(self, thread: ThreadKey, person_id: str, tenant: str) -> None:
        """A person has to prove anew who they are in this thread, and may try at once, wherever they are."""
        await TRIES.forget(self._state, f"{tenant}/{person_ref(thread, person_id)}")
        await self._state.delete(f"open/{thread}/{person_id}")
        await self._grants.revoke(thread, person_id)

    async def _denied(self, thread: ThreadKey, author_id: str, tenant: str, rule: str) -> ToolDenied:
        """The refusal, written down. What was typed as a username may be anything, so it is kept nowhere."""
        await self._audit(thread, author_id, tenant, str(thread), rule)
        return ToolDenied(rule, _DENIED[rule])

    async def _audit(self, thread: ThreadKey, author_id: str, tenant: str, target: str, result: str) -> None:
        actor = person_ref(thread, author_id)
        await self._desk.record_audit(tenant, actor=actor, action="verify_user", target=target, result=result)
