"""Says what an exception in the operator's own code is, and where."""

from __future__ import annotations


def described(error: BaseException) -> str:
    """Return *error* in a line, with the innermost place that it came from, unless it names that itself."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = ""
    if place is not None and not isinstance(error, ImportError | SyntaxError):
        where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})"
    return f"{type(error).__name__}: {error}{where}".replace("\n", " ")
