"""The models behind the endpoint of the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bot.config import Settings
from bot.errors import ConfigError
from bot.ports import Usage

if TYPE_CHECKING:
    from bot.llm.openai import OpenAIChat
    from bot.llm.vision import OpenAIVision

NO_KEY = (
    "OPENAI_API_KEY is not set; set it (and OPENAI_BASE_URL for another endpoint than OpenAI's), or try "
    "`frontdesk demo`, which needs none."
)


@asynccontextmanager
async def open_models(
    settings: Settings, *, used: Callable[[Usage], None] = lambda usage: None
) -> AsyncIterator[tuple[OpenAIChat, OpenAIVision]]:
    """One that talks and one that reads pictures.

    Args:
        used: told what each picture cost; what a chat costs it says itself.

    Raises:
        ConfigError: no key is set.
    """
    if settings.openai_api_key is None:
        raise ConfigError(NO_KEY)
    # The client's library takes half a second to load, which only those pay who ask a model.
    from bot.llm.openai import OpenAIChat
    from bot.llm.vision import OpenAIVision

    key, base_url = settings.openai_api_key, settings.openai_base_url
    async with AsyncExitStack() as stack:
        chat = OpenAIChat(
            api_key=key,
            base_url=base_url,
            model=settings.openai_model,
            first_byte_timeout_s=settings.model_first_byte_timeout_s,
            stall_timeout_s=settings.model_stall_timeout_s,
            total_timeout_s=settings.model_timeout_s,
            extra=settings.openai_extra,
            count_tokens=settings.openai_stream_usage,
        )
        stack.push_async_callback(chat.aclose)
        vision = OpenAIVision(
            api_key=key,
            base_url=base_url,
            model=settings.vision_model,
            total_timeout_s=settings.model_timeout_s / 2,
            used=used,
        )
        stack.push_async_callback(vision.aclose)
        yield chat, vision
