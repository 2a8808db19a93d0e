"""Rehearsals: a virtual clock that drives the engine that runs live, with callers drawn by chance or given."""
