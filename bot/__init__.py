"""The core of Frontdesk: it knows no platform, no tool, and no vendor's library outside `llm/` and `store/`."""
