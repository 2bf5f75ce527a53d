"""The `/support` commands, shared by every platform: a table of pure functions from a command to what is to be done.

They are carried out in one place, `bot.office`.
"""

from bot.admin.commands import COMMANDS, NEEDS_THREAD, Command, Decision, Situation, decide

__all__ = ["COMMANDS", "NEEDS_THREAD", "Command", "Decision", "Situation", "decide"]
