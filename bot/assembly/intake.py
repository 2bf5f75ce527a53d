"""From a platform's event to the mailbox."""

from __future__ import annotations

from bot.assembly.house import House
from bot.gate import MessageGate
from bot.intake import IntakeDesk
from bot.office import Clerk, Room
from bot.ports import Intake


def build_intake(house: House) -> Intake:
    """What adapters bring events to: the gate of a person's limits, then the desk, which has a clerk for orders."""
    room = Room(
        state=house.state.within("office"),
        mailbox=house.mailbox,
        desk=house.business.desk,
        platforms=house.platforms,
        tenants=house.settings.tenant_of,
        verification=house.verification,
        announcements=house.announcements,
        cases=house.cases,
        standing=house.standing,
        channels=house.channels,
        accounts=house.accounts,
        budgets=house.budgets,
        turns=house.business.turns,
        currency=house.settings.currency,
    )
    desk = IntakeDesk(
        house.mailbox,
        vault=house.vault,
        verification=house.verification,
        desk=house.business.desk,
        tenant_of=house.settings.tenant_of,
        clerk=Clerk(room),
        standing=house.standing,
        channels=house.channels,
        cases=house.cases,
    )
    state = house.state.within("gate")
    return MessageGate(intake=desk, budgets=house.budgets, mailbox=house.mailbox, state=state)
