"""What a caller hears (`lab.hearing`), under the name that tests know it by."""

from lab.hearing import Hearing

__all__ = ["Hearing"]
