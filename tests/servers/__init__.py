"""Servers that tests start for real on loopback; `python -m tests.servers` fetches what they are made of."""
