"""What opens on a person's screen, as JSON bodies of the API. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.discord.render import custom_id

Json = dict[str, Any]

_TEXT_INPUT, _LABEL, _FILE_UPLOAD = 4, 18, 19


def render_modal(form_id: str, title: str, fields: Mapping[str, str]) -> Json:
    """A form on the person's screen; Discord allows five fields."""
    return {
        "custom_id": custom_id("form", form_id),
        "title": title[:45],
        "components": [
            {
                "type": _LABEL,
                "label": label[:45],
                "component": {"type": _TEXT_INPUT, "custom_id": name, "style": 1, "required": True, "max_length": 400},
            }
            for name, label in list(fields.items())[:5]
        ],
    }


def render_why_form(*bound: str) -> Json:
    """The form in which somebody may say what was wrong with an answer; it is bound as the button was."""
    return {
        "custom_id": custom_id("why", *bound),
        "title": "What was wrong?",
        "components": [
            {
                "type": _LABEL,
                "label": "Your vote counts. What should be better?",
                "component": {
                    "type": _TEXT_INPUT,
                    "custom_id": "comment",
                    "style": 2,
                    "required": False,
                    "max_length": 1_000,
                },
            }
        ],
    }


def render_receipt_form(custom: str) -> Json:
    """The form with which a file is handed in: it needs neither a public message nor the right to read messages."""
    return {
        "custom_id": custom,
        "title": "Send a receipt",
        "components": [
            {
                "type": _LABEL,
                "label": "Pictures of the receipt",
                "component": {
                    "type": _FILE_UPLOAD,
                    "custom_id": "files",
                    "min_values": 1,
                    "max_values": 4,
                    "required": True,
                },
            },
            {
                "type": _LABEL,
                "label": "What would you like to know?",
                "component": {
                    "type": _TEXT_INPUT,
                    "custom_id": "question",
                    "style": 2,
                    "required": False,
                    "max_length": 2_000,
                },
            },
        ],
    }
