"""The position page: what the published tables say about the spacecraft now, as a typed API and one web page on it."""
