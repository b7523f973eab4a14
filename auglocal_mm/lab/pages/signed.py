"""Numbers with their sign, as differences are shown."""

MINUS = '−'


def signed(value: float, digits: int = 2) -> str:
    """Format a value with its sign."""
    return f'{value:+.{digits}f}'.replace('-', MINUS)
