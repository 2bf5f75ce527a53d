"""Slack's words for what it refuses, by what they mean for a message of ours.

Source: https://docs.slack.dev/reference/methods/chat.postMessage#errors and, for streams, public issues of Slack's SDKs
"""

from __future__ import annotations

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""There is no such message any more, or none that can be changed."""

STREAMING = "streaming_state_conflict"
"""The message is still a stream, which no edit changes."""

UNREADABLE = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long"})
"""It is not taken in this form, and may be in a plainer one."""

FATAL = frozenset(
    {
        "account_inactive",
        "cannot_reply_to_message",
        "channel_not_found",
        "ekm_access_denied",
        "invalid_auth",
        "is_archived",
        "channel_archived",
        "missing_scope",
        "no_permission",
        "not_authed",
        "not_in_channel",
        "not_installed",
        "org_login_required",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "team_access_not_granted",
        "team_not_found",
        "thread_not_found",
        "token_expired",
        "token_revoked",
    }
)
"""It meets every way of writing in this place."""
