"""Where conversations are kept: the Redis of the settings, the mailbox in it, and the data folder of this machine."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.config import Settings
from bot.errors import ConfigError
from bot.llm.wire import to_wire
from bot.store.client import Connections
from bot.store.embedded import EmbeddedRedis, running_url
from bot.store.mailbox import Limits, RedisMailbox
from bot.store.shared_state import RedisSharedState

_KEY_CHARS = 64
"""Of the key that is made where none is set."""

_LEAST_KEY_BYTES = 16


@asynccontextmanager
async def open_connections(settings: Settings, *, shared: bool = False) -> AsyncIterator[Connections]:
    """The Redis of the settings, or an embedded one that runs as long as the context.

    Args:
        shared: an embedded one that another process runs on the same data folder will do.
    """
    async with AsyncExitStack() as stack:
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        if url is None and shared:
            url = await running_url(data_folder(settings))
        if url is None:
            url = (await stack.enter_async_context(EmbeddedRedis(data_folder(settings)))).url
        connections = Connections(url)
        stack.push_async_callback(connections.aclose)
        await connections.ping()
        yield connections


def mailbox_in(connections: Connections, settings: Settings) -> RedisMailbox:
    """The mailbox with the measures of the settings."""
    limits = Limits(
        lease_s=settings.lease_s,
        attempts=settings.max_attempts,
        inbox=settings.inbox_limit,
        open=settings.open_limit,
        retention_s=settings.retention_days * 86_400,
        debounce_ms=settings.debounce_ms,
    )
    return RedisMailbox(connections, to_wire, limits=limits, partitions=settings.partitions)


def state_in(connections: Connections, owner: str) -> RedisSharedState:
    """Small facts that every process sees, in a namespace of the owner's."""
    return RedisSharedState(connections.commands, owner, listener=connections.listener)


def data_folder(settings: Settings) -> Path:
    """The folder for what is kept on this machine; made when it is not there.

    Raises:
        ConfigError: it cannot be made.
    """
    folder = settings.frontdesk_data_dir.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"FRONTDESK_DATA_DIR: {folder} cannot be made ({error.strerror}); name a folder that is yours."
        ) from None
    return folder


def secret_key(settings: Settings) -> bytes:
    """32 bytes; from the setting, or from a file in the data folder that is made once.

    Raises:
        ConfigError: the file is there and holds no key.
    """
    if settings.frontdesk_secret_key is not None:
        return hashlib.sha256(settings.frontdesk_secret_key.get_secret_value().encode()).digest()
    path = data_folder(settings) / "secret.key"
    if not path.exists():
        _make_key(path)
    key = path.read_bytes()
    if len(key) < _LEAST_KEY_BYTES:
        raise ConfigError(
            f"{path} is cut short, so it is no key. Put back the one that was there, or delete it: a new one is made, "
            "and what was sealed with the old one cannot be opened any more."
        )
    return hashlib.sha256(key).digest()


def _make_key(path: Path) -> None:
    """Make the file whole or not at all, whoever else makes it at the same time and whatever ends us in between."""
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_KEY_CHARS // 2))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
