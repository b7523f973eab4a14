"""The error for a fault that a user can fix: data that is not what it should be."""
from auglocal_mm.validation.errors import UserError


class DataError(UserError):
    """Data on disk, or on its way there, is missing, damaged or unsuitable."""
