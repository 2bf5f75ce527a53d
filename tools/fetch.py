"""A guarded download: what stands behind a link that a stranger wrote, without letting the stranger use our network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpcore2

from bot.errors import ToolFailed, ToolInputError
from tools.images import LIMIT_BYTES, check_type, refuse

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_TOTAL_S = 10.0
_REDIRECTS = 3
_EMBEDDING = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("2002::/16"),
    ipaddress.IPv6Network("2001::/32"),
)
"""NAT64, 6to4 and Teredo: addresses of IPv6 that lead to one of IPv4, which may be anything."""


class AddressRefused(Exception):
    """A name leads to an address that is not public."""


def is_public(address: IPAddress) -> bool:
    """Whether everybody on the internet reaches the same machine under this address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or any(address in network for network in _EMBEDDING):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the operating system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name, looks at every address, and connects to the very address it looked at.

    Args:
        resolve: host, port -> addresses.
        inner: makes the connection.
    """

    def __init__(self, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend) -> None:
        self._resolve = resolve
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a public address.

        Raises:
            AddressRefused: any of the name's addresses is not public.
        """
        try:
            addresses = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, ValueError, UnicodeError):
            raise httpcore2.ConnectError("not resolved") from None
        if not addresses:
            raise httpcore2.ConnectError("not resolved")
        if not all(is_public(address) for address in addresses):
            raise AddressRefused
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never.

        Raises:
            AddressRefused: always.
        """
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedFetch:
    """Downloads pictures from anywhere on the internet, and from nowhere else; no proxy, no cookies, no credentials.

    Args:
        resolve: host, port -> addresses; every one is checked.
        backend: makes connections to addresses that were checked.
        make_ssl: the TLS settings; the operating system's trust by default.
        total_s: seconds for everything, redirects included.
    """

    resolve: Resolve = resolve
    backend: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend)
    make_ssl: Callable[[], ssl.SSLContext] = ssl.create_default_context
    total_s: float = _TOTAL_S

    async def __call__(self, url: str) -> bytes:
        """The picture's bytes, at most 10 MiB; whether they are a picture is only glanced at.

        Raises:
            ToolInputError: not an https link (`bad_link`), `too_large`, or plainly no picture (`web_page`, …).
            ToolFailed: `link_not_usable`: nothing there, nothing in time, or nothing that we are willing to visit.
        """
        guarded = GuardedBackend(self.resolve, self.backend)
        try:
            async with (
                asyncio.timeout(self.total_s),
                httpcore2.AsyncConnectionPool(ssl_context=self.make_ssl(), network_backend=guarded) as pool,
            ):
                for _ in range(_REDIRECTS + 1):
                    found = await _get(pool, _checked(url))
                    if isinstance(found, bytes):
                        return found
                    url = urljoin(url, found.location)
        except (AddressRefused, TimeoutError, OSError, *_HTTP_ERRORS):
            # One sentence for all of them: what can be reached from here is nobody's business.
            raise _not_usable() from None
        raise _not_usable()


_HTTP_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class _Moved:
    location: str


def _checked(url: str) -> httpcore2.URL:
    """The link, if it is one that we visit.

    Raises:
        ToolInputError: not https on its usual port, or with a user and password in it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError:
        raise _bad_link() from None
    if parts.scheme != "https" or not host or port not in (None, 443) or "@" in parts.netloc:
        raise _bad_link()
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    safe = "".join(char if "!" <= char <= "~" else _quoted(char) for char in target)
    return httpcore2.URL(scheme=b"https", host=host.encode(), port=443, target=safe.encode("ascii"))


def _quoted(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))


async def _get(pool: httpcore2.AsyncConnectionPool, url: httpcore2.URL) -> bytes | _Moved:
    """One request: the body, or where it has moved."""
    headers = [
        (b"Host", url.host),
        (b"Accept", b"image/png, image/jpeg, image/webp, image/gif"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", b"Frontdesk"),
        (b"Connection", b"close"),
    ]
    async with pool.stream("GET", url, headers=headers) as response:
        answered = {name.lower(): value.decode("latin-1").strip() for name, value in response.headers}
        if response.status in (301, 302, 303, 307, 308) and b"location" in answered:
            return _Moved(answered[b"location"])
        if response.status != 200 or answered.get(b"content-encoding", "identity").lower() != "identity":
            raise _not_usable()
        if answered.get(b"content-type", "").lower().startswith(("text/html", "application/xhtml")):
            raise refuse("web_page")
        return await _body(response)


async def _body(response: httpcore2.Response) -> bytes:
    """What comes, counted while it comes; a stream that does not begin like a picture is not read on."""
    body = bytearray()
    looked = False
    async for part in response.aiter_stream():
        body += part
        if len(body) > LIMIT_BYTES:
            raise refuse("too_large")
        if not looked and len(body) >= 64:
            check_type(bytes(body[:4096]))
            looked = True
    return bytes(body)


def _bad_link() -> ToolInputError:
    return ToolInputError(
        "bad_link", "Only https links to a picture can be opened. Ask for another link, or for the file."
    )


def _not_usable() -> ToolFailed:
    return ToolFailed(
        "link_not_usable", "The link cannot be opened from here. Ask the customer to send the picture itself instead."
    )
