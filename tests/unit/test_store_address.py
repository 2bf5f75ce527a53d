"""What REDIS_URL may be."""

from __future__ import annotations

import pytest

from bot.errors import ConfigError
from bot.store.address import Cluster, One, Sentinels, parse_address

pytestmark = pytest.mark.behaviour("machines.address")


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://user:p%40ss@redis.example/3",
        "rediss://redis.example:6380",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_one_redis_is_left_to_its_client(url: str) -> None:
    assert parse_address(url) == One(url=url)


def test_a_cluster_is_some_of_its_nodes() -> None:
    address = parse_address("redis+cluster://:p%40ss@one:7000,two,[::1]:7002")
    assert address == Cluster(
        nodes=(("one", 7000), ("two", 6379), ("::1", 7002)), login={"username": None, "password": "p@ss", "ssl": False}
    )


def test_sentinels_name_the_master_of_a_service() -> None:
    address = parse_address("rediss+sentinel://desk:secret@one:26000,two/my%20service/4")
    assert address == Sentinels(
        nodes=(("one", 26000), ("two", 26379)),
        service="my service",
        db=4,
        login={"username": "desk", "password": "secret", "ssl": True},
        asking={"username": None, "password": None, "ssl": True},
    )


def test_sentinels_may_want_a_login_of_their_own_and_a_desk_its_own_authority() -> None:
    more = "ssl_ca_certs=/etc/desk/ca.pem&sentinel_username=guard&sentinel_password=p%40ss"
    address = parse_address(f"rediss+sentinel://:secret@one/desk/0?{more}")
    assert isinstance(address, Sentinels)
    assert address.login == {"username": None, "password": "secret", "ssl": True, "ssl_ca_certs": "/etc/desk/ca.pem"}
    assert address.asking == {"username": "guard", "password": "p@ss", "ssl": True, "ssl_ca_certs": "/etc/desk/ca.pem"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "127.0.0.1:6379",
        "redis+other://one",
        "http+cluster://one",
        "redis+cluster://",
        "redis+cluster://one,,two",
        "redis+cluster://one/3",
        "redis+cluster://one:port",
        "redis+cluster://one?sentinel_password=hunter2",
        "redis+sentinel://one/service?timeout=hunter2",
        "redis+sentinel://one:26379",
        "redis+sentinel://one/service/first",
        "redis://one:70000",
    ],
)
def test_anything_else_is_told_the_forms_and_never_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"redis\+cluster://") as caught:
        parse_address(url.replace("://", "://:hunter2@"))
    assert "hunter2" not in str(caught.value)
