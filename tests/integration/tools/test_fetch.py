"""The guarded download, against real TLS servers whose names lead where a test says."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.errors import ToolError
from tests.integration.tools import pictures
from tools.fetch import GuardedFetch, is_public, resolve
from tools.images import LIMIT_BYTES

NAMES = ("img.example", "moved.example", "evil.example")
PUBLIC = "93.184.215.14"


class Internet:
    """Names, the addresses they lead to, and one server that stands behind every public address.

    What is tested looks at addresses as it would outside; only the last step, the connection to an address that it has
    chosen and checked, is led to the server.
    """

    def __init__(self, port: int, client_ssl: ssl.SSLContext) -> None:
        self.names: dict[str, Sequence[str]] = dict.fromkeys(NAMES, (PUBLIC,))
        self.answers: dict[str, Callable[[asyncio.StreamWriter], None]] = {}
        self.requests: list[tuple[str, str]] = []
        self.heads: list[dict[str, str]] = []
        self.dialled: list[str] = []
        self.sent_bytes = 0
        self.fetch = GuardedFetch(
            resolve=self._resolve, backend=_Road(port, self.dialled), make_ssl=lambda: client_ssl, total_s=5.0
        )

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        assert port == 443
        return self.names[host] if host in self.names else await resolve(host, port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            head = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            path = lines[0].split()[1]
            self.requests.append((head["host"], path))
            self.heads.append(head)
            self.answers[path.partition("?")[0]](writer)
            await writer.drain()
        writer.close()

    def answer(self, path: str, body: bytes, *, status: str = "200 OK", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{lines}\r\n"
        self.answers[path] = lambda writer: writer.write(head.encode() + body)


class _Road(httpcore2.AnyIOBackend):
    """Leads every address to the local server."""

    def __init__(self, port: int, dialled: list[str]) -> None:
        self._port = port
        self._dialled = dialled

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self._dialled.append(f"{host}:{port}")
        return await super().connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the names of these tests, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "img.example")])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def internet(certificate: Path) -> AsyncIterator[Internet]:
    """An internet of one server."""
    server_ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_ssl.load_cert_chain(certificate)
    made: list[Internet] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await made[0].serve(reader, writer)

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_ssl))
        client_ssl = ssl.create_default_context(cafile=str(certificate))
        made.append(Internet(server.sockets[0].getsockname()[1], client_ssl))
        yield made[0]


async def _refusal(internet: Internet, url: str) -> str:
    with pytest.raises(ToolError) as caught:
        await internet.fetch(url)
    return caught.value.code


@pytest.mark.behaviour("fetch.guarded")
async def test_a_picture_behind_a_link_is_downloaded_without_telling_who_we_are(internet: Internet) -> None:
    picture = pictures.png()
    internet.answer("/a.png", picture, Content_Type="image/png")
    assert await internet.fetch("https://img.example/a.png?x=1&y=ü") == picture
    assert internet.requests == [("img.example", "/a.png?x=1&y=%C3%BC")]
    assert internet.dialled == [f"{PUBLIC}:443"]
    assert set(internet.heads[0]) == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.behaviour("fetch.guarded")
async def test_only_plain_https_links_are_opened(internet: Internet) -> None:
    for url in (
        "http://img.example/a.png",
        "ftp://img.example/a.png",
        "file:///etc/passwd",
        "https://user:word@img.example/a.png",
        "https://img.example:8443/a.png",
        "https://img.example:99999999/a.png",
        "https://",
        "https://[::1/a.png",
    ):
        assert await _refusal(internet, url) == "bad_link", url
    assert internet.dialled == []


@pytest.mark.behaviour("fetch.guarded")
@pytest.mark.parametrize(
    "address",
    (
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fec0::1",
    ),
)
async def test_a_name_that_leads_inside_is_not_visited(internet: Internet, address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    internet.names["evil.example"] = (address,)
    assert await _refusal(internet, "https://evil.example/a.png") == "link_not_usable"
    internet.names["evil.example"] = (PUBLIC, address)
    assert await _refusal(internet, "https://evil.example/a.png") == "link_not_usable"
    assert internet.dialled == []


@pytest.mark.behaviour("fetch.guarded")
@pytest.mark.parametrize("host", ("127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "localhost"))
async def test_no_spelling_of_this_machine_is_visited(internet: Internet, host: str) -> None:
    assert await _refusal(internet, f"https://{host}/a.png") in ("link_not_usable", "bad_link")
    assert internet.dialled == []


@pytest.mark.behaviour("fetch.guarded")
def test_public_addresses_are_public() -> None:
    for address in (PUBLIC, "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"):
        assert is_public(ipaddress.ip_address(address))


@pytest.mark.behaviour("fetch.followed")
async def test_a_redirect_is_followed_and_looked_at_again(internet: Internet) -> None:
    picture = pictures.png()
    internet.answer("/a", b"", status="302 Found", Location="https://moved.example/b?c=d")
    internet.answer("/b", b"", status="307 Temporary Redirect", Location="/c.png")
    internet.answer("/c.png", picture)
    assert await internet.fetch("https://img.example/a") == picture
    assert internet.requests == [("img.example", "/a"), ("moved.example", "/b?c=d"), ("moved.example", "/c.png")]


@pytest.mark.behaviour("fetch.guarded")
async def test_a_redirect_inside_is_not_followed(internet: Internet) -> None:
    internet.names["evil.example"] = ("169.254.169.254",)
    for target, code in (
        ("https://evil.example/latest/meta-data", "link_not_usable"),
        ("https://169.254.169.254/latest/meta-data", "link_not_usable"),
        ("http://img.example/a.png", "bad_link"),
        ("file:///etc/passwd", "bad_link"),
    ):
        internet.dialled.clear()
        internet.answer("/a", b"", status="302 Found", Location=target)
        assert await _refusal(internet, "https://img.example/a") == code
        assert internet.dialled == [f"{PUBLIC}:443"]


@pytest.mark.behaviour("fetch.bounded")
async def test_redirects_come_to_an_end(internet: Internet) -> None:
    internet.answer("/a", b"", status="302 Found", Location="/a")
    assert await _refusal(internet, "https://img.example/a") == "link_not_usable"
    assert len(internet.requests) == 4


@pytest.mark.behaviour("fetch.guarded")
async def test_a_name_is_resolved_once_so_that_it_cannot_change_in_between(internet: Internet) -> None:
    answers = [("127.0.0.1",), (PUBLIC,)]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop()

    internet.answer("/a.png", pictures.png())
    fetch = GuardedFetch(resolve=rebinding, backend=internet.fetch.backend, make_ssl=internet.fetch.make_ssl)
    await fetch("https://evil.example/a.png")
    assert asked == ["evil.example"]
    assert internet.dialled == [f"{PUBLIC}:443"]


@pytest.mark.behaviour("fetch.bounded")
async def test_an_endless_body_is_cut_at_the_limit(internet: Internet) -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while True:
                writer.write(b"\0" * 65536)
                await writer.drain()
                internet.sent_bytes += 65536

    pouring: list[asyncio.Task[None]] = []

    def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\x89PNG\r\n\x1a\n")
        pouring.append(asyncio.create_task(pour(writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        endless(writer)
        await asyncio.gather(*pouring)

    internet.serve = serve  # type: ignore[method-assign]  # a server that does not stop
    assert await _refusal(internet, "https://img.example/a.png") == "too_large"
    await asyncio.gather(*pouring)
    assert internet.sent_bytes < LIMIT_BYTES + 30_000_000, "what the two kernels had buffered comes on top"


@pytest.mark.behaviour("images.refused")
async def test_a_page_is_known_by_its_type_and_by_its_first_bytes(internet: Internet) -> None:
    page = b"<!doctype html><title>Sign in</title>" + b" " * 200
    internet.answer("/typed", page, Content_Type="text/html; charset=utf-8")
    internet.answer("/untyped", page, Content_Type="image/png")
    internet.answer("/packed", b"x", Content_Type="image/png", Content_Encoding="gzip")
    internet.answer("/gone", page, status="404 Not Found")
    assert await _refusal(internet, "https://img.example/typed") == "web_page"
    assert await _refusal(internet, "https://img.example/untyped") == "web_page"
    assert await _refusal(internet, "https://img.example/packed") == "link_not_usable"
    assert await _refusal(internet, "https://img.example/gone") == "link_not_usable"


@pytest.mark.behaviour("fetch.bounded")
async def test_a_server_that_does_not_answer_or_breaks_off_is_given_up(internet: Internet) -> None:
    def silence(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n\x89PNG")

    internet.answers["/short"] = silence
    internet.answers["/garbage"] = lambda writer: writer.write(b"\0\1\2\r\n\r\n")
    for path in ("/short", "/garbage"):
        assert await _refusal(internet, f"https://img.example{path}") == "link_not_usable"
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.read()
        writer.close()
        hung.set()

    internet.serve = hang  # type: ignore[method-assign]  # a server that says nothing
    impatient = GuardedFetch(
        resolve=internet.fetch.resolve, backend=internet.fetch.backend, make_ssl=internet.fetch.make_ssl, total_s=0.3
    )
    with pytest.raises(ToolError, match="cannot be opened"):
        await impatient("https://img.example/a.png")
    async with asyncio.timeout(20):
        await hung.wait()


@pytest.mark.behaviour("fetch.guarded")
async def test_a_certificate_of_somebody_else_is_not_accepted(internet: Internet) -> None:
    internet.names["wrong.example"] = (PUBLIC,)
    assert await _refusal(internet, "https://wrong.example/a.png") == "link_not_usable"
    assert internet.requests == []
    strict = GuardedFetch(resolve=internet.fetch.resolve, backend=internet.fetch.backend)
    with pytest.raises(ToolError):
        await strict("https://img.example/a.png")
    assert internet.requests == []
