"""For all tests: hypothesis takes the time it takes, since a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("callyard", deadline=None)
settings.load_profile("callyard")
