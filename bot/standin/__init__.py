"""The stand-in model: a small rule-based server that speaks the Chat Completions protocol, for a demo without a key.

It is as foreign to Frontdesk as a vendor: a process of its own, reached over HTTP alone, importing nothing of the core.
Everything it knows of a conversation it reads from the request.

    request -> protocol -> transcript -> memory (slots, intents) -> goals -> dialogue -> completions -> response
                     picture -> ocr -> layout -> receipt -> structured output
"""
