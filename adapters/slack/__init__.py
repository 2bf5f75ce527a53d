"""Slack: Socket Mode and HTTP, one workspace or many, on slack-bolt."""
