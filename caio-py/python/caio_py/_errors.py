"""The exceptions of caio_py. Each carries a stable ``code``."""


class CaioError(Exception):
    """Base of everything that caio_py raises on its own account.

    ``code`` is stable across versions and the same as in the command line's and the server's
    answers; the text is for people and may change.
    """

    code: str

    def __init__(self, message: str = "", code: str = "caio") -> None:
        super().__init__(message)
        self.code = code


class InvalidInput(CaioError, ValueError):
    """A value of the right type that means nothing here (an unknown model, a bad date)."""


class WrongType(CaioError, TypeError):
    """A value of a type that a record cannot hold."""


class BatchInvalid(CaioError, ValueError):
    """A batch that may not be executed. ``kind`` names the check that refused it."""

    kind: str = ""


class LeadSourceError(CaioError, OSError):
    """A file of leads that cannot be read at all. Single bad rows go to ``LeadBatch.refused``."""


class StateError(CaioError):
    """The state store could not do what was asked; nothing was done instead."""


class StateUnavailable(StateError, ConnectionError):
    """The store cannot be reached, or belongs to another environment. Never *absent* (ST-2)."""


class StateCorrupt(StateError, ValueError):
    """A record that is there and cannot be read. Never *absent* (ST-2)."""


class StateConflict(StateError):
    """Somebody else changed the record, or the transition is not allowed from where it stands."""


class CaioBug(CaioError, RuntimeError):
    """A mistake in caio_py itself; the text says what to report. No state was left half-written."""
