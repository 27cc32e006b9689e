"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write text to a file, so that it is there whole or as it was before.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    to = Path(path)
    scratch = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
    try:
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, to)
    finally:
        scratch.unlink(missing_ok=True)
