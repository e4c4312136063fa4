"""Short names for contents: the first hex digits of their SHA-256."""

import hashlib


def digest(content: str | bytes, digits: int = 16) -> str:
    """The same for the same ``content``, on every machine and in every version.

    Example:
        >>> digest("dice+bce", 6)
        'f745ab'
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:digits]
