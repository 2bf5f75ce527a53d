"""The stand-in model: a small rule-based server that speaks the Chat Completions protocol, for a demo without a key.

It is as foreign to Frontdesk as a vendor: a process of its own, reached over HTTP alone, importing nothing of the core.
Everything it knows of a conversation it reads from the request.

    request -> protocol -> transcript -> hearing (slots, intents, wishes) -> memory -> goals -> dialogue -> completions
    picture -> ocr -> layout -> rows -> receipt -> structured output
"""
