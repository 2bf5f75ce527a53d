"""Chat and vision over any endpoint that speaks Chat Completions; the only package that imports `openai`."""
