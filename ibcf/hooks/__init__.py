"""What a hook of a policy is written with: the view of a request, and the verdicts and edits that it may answer.

A rule with `hook` names an async function that takes a `Request` and returns `Continue`, `Reject` or `Route`. See
docs/hooks.md.
"""

from ibcf.hooks.request import EnumResult, Headers, Request
from ibcf.hooks.verdict import AddHeader, Continue, Edit, Reject, RemoveHeader, Route, SetHeader, Verdict

__all__ = [
    "AddHeader",
    "Continue",
    "Edit",
    "EnumResult",
    "Headers",
    "Reject",
    "RemoveHeader",
    "Request",
    "Route",
    "SetHeader",
    "Verdict",
]
