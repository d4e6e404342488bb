"""Every request comes from an address of its own, as the trusted proxy names it.

Whoever guesses tokens is told to wait (429) by address; without this the checks of wrong tokens would
see the answer to guessing in place of the answer to a wrong token.
"""

import itertools

import schemathesis

_numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(_numbers)
    case.headers["X-Forwarded-For"] = f"198.18.{number // 256 % 256}.{number % 256}"
