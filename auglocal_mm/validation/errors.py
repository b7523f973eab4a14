"""The base of errors that a user can fix; tools show them in one line."""


class UserError(RuntimeError):
    """Something that the user can put right; the message says value, bound and fix."""
