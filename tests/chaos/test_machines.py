"""Several Redis servers: a cluster of three masters, and a master with a replica and a sentinel (F10, F11)."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.errors import LeaseLost, Transient
from bot.messages import ThreadKey
from bot.ports import Lease, Put, Reply
from bot.store.client import Connections
from bot.store.keys import partition_of
from tests.servers.certificate import certified
from tests.servers.openai import ScriptedModel, held
from tests.servers.process import FrontdeskProcess
from tests.servers.redis import RedisServer, cluster, cluster_url, pair, serving, until
from tests.stages.customers import Archive, Customer, archive, echoes
from tests.stages.play import environment
from tests.talk import a_thread, answered, said

pytestmark = pytest.mark.timeout_s(120)

PARTITIONS = 4


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(echoes)
        yield model


# ---------------------------------------------------------------------------------------------------------- cluster


@pytest.mark.behaviour("machines.cluster")
async def test_two_processes_answer_everybody_once_on_a_cluster(
    redis_cluster: list[RedisServer], model: ScriptedModel, tmp_path: Path
) -> None:
    url = cluster_url(redis_cluster[:1])  # one node knows the others
    variables = environment(tmp_path, url, model, PARTITIONS=str(PARTITIONS))
    async with (
        FrontdeskProcess(variables, tmp_path) as one,
        FrontdeskProcess(variables, tmp_path) as two,
        archive(url, partitions=PARTITIONS) as kept,
    ):
        roots = [thread_in(partition).root for partition in range(PARTITIONS) for _ in range(3)]
        customers = [Customer(url, root) for url, root in zip(itertools.cycle((one.url, two.url)), roots, strict=False)]
        await asyncio.gather(*(customer.talk(3) for customer in customers))
        await kept.assert_answered(customers)
    assert not any(customer.refused for customer in customers)
    for server in redis_cluster:
        with server.client() as client:
            assert client.keys("frontdesk:*:turns:*"), "every master keeps some of the conversations"


@pytest.mark.behaviour("machines.cluster")
async def test_a_killed_workers_threads_are_taken_over_on_a_cluster(
    redis_cluster: list[RedisServer], model: ScriptedModel, tmp_path: Path
) -> None:
    url = cluster_url(redis_cluster)
    variables = environment(tmp_path, url, model, PARTITIONS=str(PARTITIONS), LEASE_S="1")
    slow = [held("Half of ", "an answer.") for _ in range(4)]
    model.plays(*slow)
    async with FrontdeskProcess(variables, tmp_path) as victim, archive(url, partitions=PARTITIONS) as kept:
        customers = [Customer(victim.url) for _ in slow]
        await asyncio.gather(*(customer.talk(1) for customer in customers))
        for reply in slow:
            await reply.pause.reached.wait()
        victim.kill()
        async with FrontdeskProcess(variables, tmp_path):
            await kept.assert_answered(customers)


@pytest.mark.behaviour("machines.one_of_three")
@pytest.mark.parametrize("away", ["killed", "frozen"])
async def test_a_master_that_is_away_costs_the_threads_of_others_nothing(away: str, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", settings={"cluster-require-full-coverage": "no"}) as servers:
        async with archive(cluster_url(servers), partitions=PARTITIONS) as kept:
            theirs = [PARTITIONS_OF_MASTERS[1], PARTITIONS_OF_MASTERS[2]]
            await asyncio.gather(*(serve(kept, partition) for partition in range(PARTITIONS)))
            lost = servers[0]
            lost.kill() if away == "killed" else lost.freeze()
            for _ in range(3):
                failed, *served = await asyncio.gather(
                    *(serve(kept, partition) for partition in (PARTITIONS_OF_MASTERS[0], *theirs)),
                    return_exceptions=True,
                )
                assert isinstance(failed, Transient)
                assert served == [None, None]
            lost.thaw() if away == "frozen" else lost.start()
            await asyncio.to_thread(lost.wait)
            async with asyncio.timeout(20):
                while not await is_served(kept, PARTITIONS_OF_MASTERS[0]):
                    await asyncio.sleep(0.05)


PARTITIONS_OF_MASTERS = (3, 1, 0)
"""One partition of each master: the slot of its tag lies in the first, second and last third."""


async def serve(kept: Archive, partition: int) -> None:
    """A message comes to a thread of this partition, is claimed, and settled."""
    thread, turn = thread_in(partition), said("hello")
    assert await kept.mailbox.put(thread, turn, event_ids=turn.message_ids) is Put.STORED
    while not isinstance(lease := await kept.mailbox.claim(partition), Lease):
        continue
    await kept.mailbox.done(lease)


async def is_served(kept: Archive, partition: int) -> bool:
    try:
        await serve(kept, partition)
    except Transient:
        return False
    return True


def thread_in(partition: int) -> ThreadKey:
    """A thread of its own in a partition."""
    threads = (a_thread(str(uuid.uuid4())) for _ in range(1000))
    return next(thread for thread in threads if partition_of(thread, PARTITIONS) == partition)


# --------------------------------------------------------------------------------------------------------- sentinel


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    with pair(tmp_path / "pair") as trio:
        yield trio


@pytest.fixture
def address(trio: tuple[RedisServer, RedisServer, RedisServer]) -> str:
    return f"redis+sentinel://127.0.0.1:{trio[2].port}/desk/0"


@pytest.fixture
async def kept(address: str) -> AsyncIterator[Archive]:
    async with archive(address) as kept:
        yield kept


@pytest.mark.behaviour("machines.failover")
async def test_the_old_owner_is_rejected_after_a_fail_over_that_lost_its_claim(
    trio: tuple[RedisServer, RedisServer, RedisServer], kept: Archive
) -> None:
    master, replica, sentinel = trio
    mailbox, thread, turn = kept.mailbox, a_thread(), said("hello")
    assert await mailbox.put(thread, turn, event_ids=turn.message_ids) is Put.STORED
    with master.client() as client, replica.client() as other:
        assert client.wait(1, 5000) == 1, "the message is on the replica"
        other.replicaof("127.0.0.1", "1")  # and from here on nothing else is
        zombie = await mailbox.claim(0)
        assert isinstance(zombie, Lease)
        zombie = await mailbox.step(zombie, answered("looking"))
    master.kill()
    with sentinel.client() as client:
        await asyncio.to_thread(until, lambda: client.sentinel_masters()["desk"]["port"] == replica.port)
    owner = await claimed(kept)
    assert (owner.thread, owner.turn, owner.attempt) == (zombie.thread, zombie.turn, 1), "the claim was lost"
    for act in (
        mailbox.step(zombie, answered("late")),
        mailbox.commit(zombie, [answered("late")], Reply(text="late", turn=1, addressee="ada")),
        mailbox.renew(zombie),
        mailbox.done(zombie),
    ):
        with pytest.raises(LeaseLost):
            await act
    await mailbox.done(
        await mailbox.commit(owner, [answered("yes")], Reply(text="yes", turn=owner.turn, addressee="ada"))
    )
    assert (await mailbox.load(thread)).length == 2


async def claimed(kept: Archive) -> Lease:
    """The next lease, waited for while the new master is being found."""
    async with asyncio.timeout(20):
        while True:
            try:
                if isinstance(lease := await kept.mailbox.claim(0), Lease):
                    return lease
                await kept.mailbox.wait(0, 0.05)
            except Transient:
                await asyncio.sleep(0.05)


@pytest.mark.behaviour("machines.failover", "machines.readonly")
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "demoted"])
async def test_a_talk_goes_on_with_the_new_master(
    killed: bool,
    trio: tuple[RedisServer, RedisServer, RedisServer],
    address: str,
    kept: Archive,
    model: ScriptedModel,
    tmp_path: Path,
) -> None:
    master, replica, sentinel = trio
    async with FrontdeskProcess(environment(tmp_path, address, model), tmp_path) as process:
        customers = [Customer(process.url) for _ in range(4)]
        await asyncio.gather(*(customer.talk(2) for customer in customers))
        with master.client() as client:
            assert client.wait(1, 5000) == 1
        talks = asyncio.gather(*(customer.talk(3) for customer in customers))
        if killed:
            master.kill()
        else:
            with sentinel.client() as client:
                client.execute_command("SENTINEL", "FAILOVER", "desk")
        await talks
        with replica.client() as client:
            await asyncio.to_thread(until, lambda: client.info("replication")["role"] == "master")
        await kept.settled()
        for customer in customers:
            turns = await kept.turns(customer)
            said_last = [turn for turn in turns if getattr(turn, "message_ids", None)][-1]
            assert getattr(said_last, "text", "") == customer.accepted[-1]
        assert "Traceback" not in process.printed


@pytest.mark.behaviour("machines.failover")
async def test_a_sentinel_that_knows_no_master_is_unavailable_and_not_a_fault(tmp_path: Path) -> None:
    with pair(tmp_path / "pair") as (_, _, sentinel):
        connections = Connections(f"redis+sentinel://127.0.0.1:{sentinel.port}/unknown/0")
        with pytest.raises(Transient):
            await connections.ping()
        await connections.aclose()


PASSWORD, GUARDS_PASSWORD = "only-of-this-test", "of-its-sentinel"


@pytest.mark.behaviour("machines.address", "machines.failover")
async def test_sentinels_and_masters_with_passwords_of_their_own_are_reached_over_tls(tmp_path: Path) -> None:
    authority, certificate = certified(tmp_path)
    tls = {"tls-cert-file": str(certificate), "tls-key-file": str(certificate), "tls-ca-cert-file": str(authority)}
    tls |= {"tls-auth-clients": "no", "tls-replication": "yes", "port": "0"}
    trust = {"ssl": True, "ssl_ca_certs": str(authority)}
    master = RedisServer(tmp_path / "master", {**tls, "requirepass": PASSWORD}, login={**trust, "password": PASSWORD})
    lines = [f"{name} {value}" for name, value in {**tls, "requirepass": GUARDS_PASSWORD}.items()]
    lines += [f"sentinel monitor desk 127.0.0.1 {master.port} 1", f"sentinel auth-pass desk {PASSWORD}"]
    sentinel = RedisServer(tmp_path / "sentinel", file="\n".join(lines), login={**trust, "password": GUARDS_PASSWORD})
    with serving(master, sentinel):
        right = f"?ssl_ca_certs={authority}&sentinel_password={GUARDS_PASSWORD}"
        await reach(f"rediss+sentinel://:{PASSWORD}@127.0.0.1:{sentinel.port}/desk/0{right}")
        for user, service, more in (
            ("wrong", "desk", right),
            (PASSWORD, "desk", right.replace(GUARDS_PASSWORD, "wrong")),
            (PASSWORD, "desk", f"?sentinel_password={GUARDS_PASSWORD}"),  # nobody whom this machine trusts
        ):
            with pytest.raises(Transient):
                await reach(f"rediss+sentinel://:{user}@127.0.0.1:{sentinel.port}/{service}/0{more}")


async def reach(url: str) -> None:
    """Connect, and see that what is reached is a master."""
    connections = Connections(url)
    try:
        await connections.ping()
    finally:
        await connections.aclose()
