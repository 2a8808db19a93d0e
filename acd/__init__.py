"""The decision: who gets which interaction. Pure: no clock, no I/O, no async, no hidden randomness."""
