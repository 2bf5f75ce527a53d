"""The command as a version to come would be: its records are of schema 2, and it reads those of schema 1 as well.

python -m tests.servers.next_version run --only platforms
"""

from __future__ import annotations

from bot import cli
from bot.store import codec

OURS, NEXT = b'{"v":1,', b'{"v":2,'


def main() -> None:
    """Become the next version, and run the command."""
    codec._HEADS.update({kind: head.replace(OURS, NEXT) for kind, head in codec._HEADS.items()})
    codec._HEAD = (OURS, NEXT)  # type: ignore[assignment]  # `startswith` takes several
    cli.main()


if __name__ == "__main__":
    main()
