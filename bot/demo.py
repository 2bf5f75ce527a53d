"""What `frontdesk demo` and a `frontdesk chat` without a key add: a stand-in for the model, in its own process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from bot.config import Settings
from bot.errors import ConfigError

HANDBOOK = Path(__file__).parent / "standin" / "handbook.md"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


@asynccontextmanager
async def stand_in() -> AsyncIterator[str]:
    """A model server that runs while the context lasts; gives its base URL.

    Raises:
        ConfigError: it did not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.standin",
        "--port",
        "0",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C in the terminal is for us: running turns still need their model while they end.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            line = ""
        address = line.rpartition(" ")[2]
        if not address.startswith("http://"):
            raise ConfigError("The stand-in for the model did not start; set OPENAI_API_KEY to use a real one.")
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def with_stand_in(settings: Settings, base_url: str) -> Settings:
    """The settings with the stand-in in the model's place."""
    return settings.model_copy(
        update={
            "openai_api_key": SecretStr("stand-in"),
            "openai_base_url": base_url,
            "openai_model": "stand-in",
            "openai_vision_model": "stand-in",
        }
    )


def with_handbook(settings: Settings) -> Settings:
    """The settings with the demo shop's handbook, unless another one is named."""
    return settings if settings.handbook else settings.model_copy(update={"handbook": HANDBOOK})
