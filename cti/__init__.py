"""Talks to Asterisk and runs the process. `cti.main` owns the event loop and is the only place that wires parts."""
