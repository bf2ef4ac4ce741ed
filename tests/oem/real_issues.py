"""Real files, each read once in a process: all of them take six seconds, and many tests look at all."""

from functools import cache

from orbitlake import oem

read_once = cache(oem.read)
