"""Files that come with a message, and their way back to the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from adapters.web.guard import FILE_POLICY
from adapters.web.inbound import parse_name, thread_key, to_attachment
from bot.messages import Attachment, Person, ThreadKey
from bot.ports import Desk, File, Resources, Upload

MEBIBYTE = 1024 * 1024
FILE_LIMIT_BYTES = 10 * MEBIBYTE
FILES_LIMIT = 4
JSON_LIMIT_BYTES = 256 * 1024
FORM_LIMIT_BYTES = FILES_LIMIT * FILE_LIMIT_BYTES + JSON_LIMIT_BYTES


class Unacceptable(Exception):
    """A request that cannot be served as it is; `message` is a sentence for whoever sent it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request for a message carries."""

    id: str
    text: str
    files: Sequence[UploadFile] = field(default=(), repr=False)


async def read_json(request: Request) -> dict[str, object]:
    """The body as a JSON object."""
    try:
        value = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Unacceptable(400, "malformed", "The request is not a JSON object.")
    return value


async def read_sent(request: Request) -> Sent:
    """The body as a message: JSON, or a form with files.

    Raises:
        Unacceptable: too many files, or too large ones.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "multipart/form-data":
        value = await read_json(request)
        return Sent(id=str(value.get("id", "")), text=str(value.get("text", "")))
    form = await request.form(max_files=FILES_LIMIT, max_fields=8, max_part_size=JSON_LIMIT_BYTES)
    files = [value for key, value in form.multi_items() if key == "files" and isinstance(value, UploadFile)]
    for file in files:
        if (file.size or 0) > FILE_LIMIT_BYTES:
            name = parse_name(file.filename or "")
            raise Unacceptable(413, "file_too_large", f"“{name}” is larger than 10 MB. Please choose a smaller one.")
    return Sent(id=_field(form.get("id")), text=_field(form.get("text")), files=files)


async def keep_files(
    resources: Resources, tenant: str, root: str, person: Person, sent: Sent
) -> tuple[Attachment, ...]:
    """Store what was sent where every process can read it."""
    attachments = []
    for index, file in enumerate(sent.files):
        name, kind = resources.mask(file.filename or ""), file.content_type or ""
        attachment = to_attachment(root, sent.id, index, name, kind, file.size or 0)
        key = thread_key(root)
        await resources.desk.save_upload(
            tenant,
            Upload(
                id=attachment.ref,
                thread=str(key),
                person=f"{key.platform}:{key.space}:{person.id}",
                name=attachment.name,
                media_type=attachment.media_type,
                data=await file.read(),
            ),
        )
        attachments.append(attachment)
    return tuple(attachments)


async def keep_file(desk: Desk, tenant: str, thread: ThreadKey, person: Person, nonce: str, file: File) -> Attachment:
    """Store a file of ours where every process can read it."""
    attachment = to_attachment(thread.root, nonce, 0, file.name, file.media_type, len(file.data))
    await desk.save_upload(
        tenant,
        Upload(
            id=attachment.ref,
            thread=str(thread),
            person=f"{thread.platform}:{thread.space}:{person.id}",
            name=attachment.name,
            media_type=attachment.media_type,
            data=file.data,
        ),
    )
    return attachment


def picture_type(data: bytes) -> str | None:
    """The media type of a picture that browsers show, by its first bytes; the claimed type proves nothing."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def file_response(upload: Upload) -> Response:
    """The bytes of an upload: a picture is shown, everything else is a download and nothing more."""
    kind = picture_type(upload.data)
    disposition = "attachment" if kind is None else "inline"
    return Response(
        upload.data,
        media_type=kind or "application/octet-stream",
        headers={
            "content-disposition": f"{disposition}; filename*=UTF-8''{quote(parse_name(upload.name), safe='')}",
            "content-security-policy": FILE_POLICY,
            "cache-control": "private, max-age=3600",
        },
    )


def _field(value: UploadFile | str | None) -> str:
    return value if isinstance(value, str) else ""
