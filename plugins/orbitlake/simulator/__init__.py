"""Both upstreams on loopback, from one orbit that obeys gravity, drag and thrust; recordings and faults on demand."""

from orbitlake.simulator.server import create_app, serve

__all__ = ["create_app", "serve"]
