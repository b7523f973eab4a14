"""The error of a file that cannot be written, or holds something else than it should."""
from auglocal_mm.validation.errors import UserError


class FileError(UserError):
    """A file cannot be used as asked; the message says why and what to do."""
