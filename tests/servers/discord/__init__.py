"""A local Discord over real sockets: REST with its limits and errors, the gateway, interactions, and files.

Everything here is written from the public API documentation (v10) of Discord; each module names the pages it follows.
"""

from tests.servers.discord.server import DiscordServer
from tests.servers.discord.values import Channel, ChannelType, Guild, Message, P

__all__ = ["Channel", "ChannelType", "DiscordServer", "Guild", "Message", "P"]
