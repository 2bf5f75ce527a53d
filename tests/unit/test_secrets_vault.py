"""The vault on a real Redis: sealed at rest, opened once, by its author, in its thread, while its time lasts."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from bot.errors import ToolInputError
from bot.messages import ThreadKey
from bot.secrets import HANDLES_PER_MESSAGE, REMOVED, Vault
from bot.store.shared_state import RedisSharedState

THREAD = ThreadKey(platform="web", space="s", channel="c", root="1")
OTHER = ThreadKey(platform="web", space="s", channel="c", root="2")
TEXT = 'my username is "john_doe" and my API key is: "canary-key"'


@pytest.fixture
def vault(redis: Redis) -> Vault:
    return Vault(RedisSharedState(redis, "secrets"), b"k" * 32)


async def everything(redis: Redis) -> bytes:
    return b"".join([key + await redis.dump(key) async for key in redis.scan_iter()])


@pytest.mark.behaviour("secrets.handle")
async def test_a_secret_becomes_a_handle_that_opens(vault: Vault, redis: Redis) -> None:
    caught = await vault.catch(THREAD, "U1", TEXT)
    assert caught.text == 'my username is "john_doe" and my API key is: "secret:1"'
    assert caught.shown == f'my username is "john_doe" and my API key is: "{REMOVED}"'
    assert (caught.handles, caught.count) == (("secret:1",), 1)
    assert b"canary" not in await everything(redis)
    opener = vault.opener(THREAD, "U1")
    assert (await opener.open("secret:1", used_by="t/1/c")).get_secret_value() == "canary-key"
    assert (await opener.open("secret:1", used_by="t/1/c")).get_secret_value() == "canary-key"
    with pytest.raises(ToolInputError):
        await opener.open("secret:1", used_by="t/1/d")


@pytest.mark.behaviour("secrets.handle")
@pytest.mark.parametrize(
    ("thread", "author", "handle"),
    [(THREAD, "U2", "secret:1"), (OTHER, "U1", "secret:1"), (THREAD, "U1", "secret:2"), (THREAD, "U1", "canary-key")],
)
async def test_nobody_else_opens_it_and_trying_does_not_use_it_up(
    vault: Vault, thread: ThreadKey, author: str, handle: str
) -> None:
    await vault.catch(THREAD, "U1", TEXT)
    with pytest.raises(ToolInputError) as caught:
        await vault.opener(thread, author).open(handle, used_by="x")
    assert caught.value.code == "secret_unavailable"
    assert (await vault.opener(THREAD, "U1").open("secret:1", used_by="y")).get_secret_value() == "canary-key"


@pytest.mark.behaviour("secrets.handle")
async def test_its_time_ends(redis: Redis) -> None:
    vault = Vault(RedisSharedState(redis, "secrets"), b"k" * 32, ttl_s=0.02)
    await vault.catch(THREAD, "U1", TEXT)
    async with asyncio.timeout(20):
        while [key async for key in redis.scan_iter("*secret:1")]:
            await asyncio.sleep(0)
    with pytest.raises(ToolInputError):
        await vault.opener(THREAD, "U1").open("secret:1", used_by="x")


@pytest.mark.behaviour("secrets.handle")
async def test_another_key_does_not_open_it(vault: Vault, redis: Redis) -> None:
    await vault.catch(THREAD, "U1", TEXT)
    with pytest.raises(ToolInputError):
        await Vault(RedisSharedState(redis, "secrets"), b"j" * 32).opener(THREAD, "U1").open("secret:1", used_by="x")


@pytest.mark.behaviour("secrets.handle")
async def test_one_of_two_callers_gets_it(vault: Vault) -> None:
    await vault.catch(THREAD, "U1", TEXT)
    opener = vault.opener(THREAD, "U1")
    tries = await asyncio.gather(*(opener.open("secret:1", used_by=str(n)) for n in range(9)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in tries) == 1


@pytest.mark.behaviour("secrets.handle")
async def test_handles_count_on_and_one_value_has_one(vault: Vault) -> None:
    await vault.catch(THREAD, "U1", TEXT)
    caught = await vault.catch(THREAD, "U2", "password: aaa1, PIN: 4321, pw: aaa1")
    assert caught.text == "password: secret:2, PIN: secret:3, pw: secret:2"
    assert (caught.handles, caught.count) == (("secret:2", "secret:3"), 3)


@pytest.mark.behaviour("secrets.ordinary")
async def test_ordinary_text_costs_nothing(vault: Vault, redis: Redis) -> None:
    caught = await vault.catch(THREAD, "U1", "Hi, where is my order?")
    assert caught.text is caught.shown
    assert await redis.dbsize() == 0


@pytest.mark.behaviour("secrets.handle")
async def test_more_than_enough_are_removed_without_a_handle(vault: Vault) -> None:
    caught = await vault.catch(THREAD, "U1", " ".join(f"PIN: {n}" for n in range(1000, 1030)))
    assert len(caught.handles) == HANDLES_PER_MESSAGE
    assert caught.text.count(REMOVED) == 30 - HANDLES_PER_MESSAGE
