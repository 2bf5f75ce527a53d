"""Another bot, which answers every answer: with it and a bot that answers bots a conversation would never end."""

from __future__ import annotations

from collections.abc import Callable

from tests.servers.slack.people import Said
from tests.servers.slack.server import Slack
from tests.servers.slack.world import BOT, OTHER_BOT, Member, Message

Says = Callable[[Message], tuple[str, str | None]]


def in_thread(answer: Message) -> tuple[str, str | None]:
    """It mentions Frontdesk in the thread of the answer."""
    return f"@Frontdesk and: {answer.shown}", answer.root


def in_channel(answer: Message) -> tuple[str, str | None]:
    """It begins another thread each time."""
    return f"@Frontdesk and: {answer.shown}", None


class EchoBot:
    """Speaks while it is entered.

    Args:
        says: the text that it answers an answer with, and the thread.
    """

    def __init__(self, slack: Slack, channel: str, says: Says = in_thread, *, member: Member = OTHER_BOT) -> None:
        self.said: list[Said] = []
        self._slack = slack
        self._channel = channel
        self._says = says
        self._bot = slack.person(member)
        self._heard: set[str] = set()

    async def begin(self, text: str = "@Frontdesk hello") -> Said:
        """Speak first, and answer from then on."""
        self.said.append(await self._bot.say(text, self._channel))
        self._slack.start(self._go_on())
        return self.said[0]

    async def _go_on(self) -> None:
        while True:
            answer = await self._slack.until(self._fresh, within_s=3600.0)
            self._heard.add(answer.ts)
            text, thread = self._says(answer)
            self.said.append(await self._bot.say(text, self._channel, thread=thread))
            await self._slack.notify()

    def _fresh(self) -> Message | None:
        """An answer that is complete and that it has not answered."""
        for message in list(self._slack.world.messages.values()):
            is_answer = message.user == BOT and message.channel == self._channel and message.ts not in self._heard
            if is_answer and any(block["type"] == "context_actions" for block in message.blocks):
                return message
        return None

    async def spoke(self, times: int) -> None:
        """Wait until it has spoken so often, and Slack has its acknowledgements."""
        await self._slack.until(lambda: len(self.said) >= times, within_s=20)
