"""Bytes in, safe picture out, by real child processes."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from pathlib import Path

import pytest
from PIL import Image as Pillow

from bot.errors import ToolFailed, ToolInputError
from tests.integration.tools import pictures
from tools import images
from tools.images import SENTENCES, ImageCheck, check_type


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def others() -> set[str]:
    """Processes that this one had started before the test."""
    return _children()


def _children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


async def _refusal(data: bytes) -> str:
    with pytest.raises(ToolInputError) as caught:
        await ImageCheck()(data)
    assert caught.value.message == SENTENCES[caught.value.code]
    return caught.value.code


@pytest.mark.behaviour("images.refused")
@pytest.mark.parametrize("name", pictures.REFUSED)
def test_what_is_no_picture_is_called_what_it_is(name: str) -> None:
    data, code = pictures.REFUSED[name]
    with pytest.raises(ToolInputError) as caught:
        check_type(data)
    assert caught.value.code == code


@pytest.mark.behaviour("images.refused")
def test_each_refusal_has_its_own_sentence() -> None:
    assert len(set(SENTENCES.values())) == len(SENTENCES)


@pytest.mark.behaviour("images.clean")
@pytest.mark.parametrize("kind", ("PNG", "JPEG", "WEBP", "GIF"))
async def test_every_allowed_kind_comes_out_as_a_jpeg(kind: str) -> None:
    made = await ImageCheck()(pictures.encoded(pictures.noise(200, 100), kind))
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 200, 100)
    again = Pillow.open(io.BytesIO(made.data))
    assert (again.format, again.size) == ("JPEG", (200, 100))


@pytest.mark.behaviour("images.clean")
async def test_a_place_and_a_remark_are_gone_and_the_picture_stands_upright() -> None:
    photo = pictures.phone_photo()
    assert b"IGNORE ALL" in photo
    made = await ImageCheck()(photo)
    assert b"IGNORE ALL" not in made.data
    assert b"Exif" not in made.data
    picture = Pillow.open(io.BytesIO(made.data))
    assert (made.width, made.height) == picture.size == (120, 200)
    assert not picture.getexif()
    assert _color(picture, 60, 30) == "red"
    assert _color(picture, 60, 170) == "blue"


@pytest.mark.behaviour("images.clean")
async def test_of_an_animation_the_first_frame_is_read() -> None:
    picture = Pillow.open(io.BytesIO((await ImageCheck()(pictures.animation())).data))
    assert _color(picture, 30, 20) == "red"


@pytest.mark.behaviour("images.clean")
async def test_what_is_transparent_becomes_white_paper() -> None:
    made = await ImageCheck()(pictures.png(50, 50, "RGBA", (0, 0, 0, 0)))
    assert Pillow.open(io.BytesIO(made.data)).convert("RGB").getpixel((25, 25)) == (255, 255, 255)


@pytest.mark.behaviour("images.clean")
@pytest.mark.parametrize(("mode", "color"), (("1", 1), ("L", 255), ("LA", (0, 0)), ("P", 0), ("I;16", 65535)))
async def test_modes_that_are_rare_are_read_too(mode: str, color: object) -> None:
    made = await ImageCheck()(pictures.png(40, 40, mode, color))
    assert (made.width, made.height) == (40, 40)
    if mode in ("1", "L", "LA", "I;16"):
        assert Pillow.open(io.BytesIO(made.data)).convert("L").getpixel((20, 20)) == 255


@pytest.mark.behaviour("images.clean")
async def test_a_large_photo_is_scaled_down() -> None:
    made = await ImageCheck()(pictures.encoded(pictures.noise(4000, 3000), "JPEG", quality=80))
    assert (made.width, made.height) == (2048, 1536)
    assert len(made.data) < images.LIMIT_BYTES


@pytest.mark.behaviour("images.bounded")
async def test_bombs_are_refused_in_a_second_and_the_parent_grows_by_nothing() -> None:
    corpus = {
        "1600 megapixels": (pictures.bomb(), "too_many_pixels"),
        "21 megapixels": (pictures.bomb(7000, 3000), "too_many_pixels"),
        "a comment of 60 MB": (pictures.text_bomb(), "damaged"),
    }
    animation = pictures.animation(3_000)
    assert len(corpus["1600 megapixels"][0]) < 1_000_000
    await ImageCheck()(pictures.png())
    before = _rss_bytes()
    for name, (data, code) in corpus.items():
        started = time.monotonic()
        assert await _refusal(data) == code, name
        assert time.monotonic() - started < 5, name
    many = await ImageCheck()(animation)
    assert many.width == 60
    assert _rss_bytes() - before < 30_000_000


@pytest.mark.behaviour("images.refused")
async def test_a_picture_that_is_cut_off_or_scrambled_is_damaged() -> None:
    whole = pictures.encoded(pictures.noise(400, 400), "PNG")
    assert await _refusal(whole[: len(whole) // 2]) == "damaged"
    assert await _refusal(whole[:200] + b"\xff" * 2000 + whole[2200:]) == "damaged"
    assert await _refusal(b"\x89PNG\r\n\x1a\n") == "damaged"
    assert await _refusal(b"GIF89a") == "damaged"
    assert await _refusal(b"\xff\xd8\xff" + b"<html>" * 100) == "damaged"


@pytest.mark.behaviour("images.bounded")
async def test_a_decoder_that_never_ends_is_killed(others: set[str]) -> None:
    check = ImageCheck(command=(sys.executable, "-I", "-c", "import time; time.sleep(600)"), wall_s=0.3)
    with pytest.raises(ToolInputError) as caught:
        await check(pictures.png())
    assert caught.value.code == "damaged"
    assert _children() == others


@pytest.mark.behaviour("images.bounded")
async def test_a_decoder_that_says_too_much_or_nonsense_is_not_believed(others: set[str]) -> None:
    endless = "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 65536)"
    lingering = "import os, time; os.close(1); time.sleep(600)"
    for program in (endless, lingering, "print('hello')", "raise SystemExit(3)", "import sys; sys.stdin.close()"):
        with pytest.raises(ToolInputError) as caught:
            await ImageCheck(command=(sys.executable, "-I", "-c", program))(pictures.png())
        assert caught.value.code == "damaged"
    assert _children() == others


@pytest.mark.behaviour("images.bounded")
async def test_a_caller_that_gives_up_leaves_no_child_behind(others: set[str]) -> None:
    check = ImageCheck(command=(sys.executable, "-I", "-c", "import time; time.sleep(600)"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await check(pictures.png())
    assert _children() == others


@pytest.mark.behaviour("images.bounded")
async def test_the_decoder_has_limits_and_no_environment() -> None:
    probe = (
        "import json, os, resource as r, runpy, sys\n"
        "sys.stdin.buffer.read()\n"
        f"runpy.run_path({str(Path(images.__file__).with_name('decoder.py'))!r})['confine']()\n"
        "told = [r.getrlimit(k)[0] for k in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE, r.RLIMIT_CORE)]\n"
        "secret = [name for name in os.environ if name not in ('LC_CTYPE',)]\n"
        "ok = told == [512 * 1024 * 1024, 5, 0, 0] and not secret\n"
        "print(json.dumps({'width': int(ok), 'height': len(secret)}))\n"
    )
    made = await ImageCheck(command=(sys.executable, "-I", "-c", probe))(pictures.png())
    assert (made.width, made.height) == (1, 0)


@pytest.mark.behaviour("images.bounded")
async def test_a_decoder_that_cannot_be_started_is_said_so() -> None:
    with pytest.raises(ToolFailed) as caught:
        await ImageCheck(command=("/nowhere/python",))(pictures.png())
    assert caught.value.code == "decoder_unavailable"


def _color(picture: Pillow.Image, x: int, y: int) -> str:
    pixel = picture.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return ("red", "green", "blue")[max(range(3), key=lambda band: pixel[band])]
