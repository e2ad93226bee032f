"""The one function that hides telephone numbers (ENUM-52); the core uses the same for the lines of calls."""

from ibcf._core import mask_numbers

__all__ = ["mask_numbers"]
