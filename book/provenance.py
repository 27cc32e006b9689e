"""What the book was built from: the version, the commit, and the data with its checksums."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import translate
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Revision:
    """A state of the sources.

    Parameters
    ----------
    version : str
        That of CITATION.cff.
    date : datetime
        When the commit was made. Not when the book was built, so that two builds are alike.
    commit : str
        Its SHA-1, or '' if the sources are not in git.
    changes : tuple of str
        The files that differ from the commit, or that git does not know of.

    Examples
    --------
    >>> date, commit = datetime(2026, 11, 23, tzinfo=UTC), "3dbd6ce4" * 5
    >>> revision = Revision("0.1.0", date, commit, ("book/index.md",))
    >>> revision.commit_name, revision.day
    ('3dbd6ce+changes', '23 November 2026')
    """

    version: str
    date: datetime
    commit: str = ""
    changes: tuple[str, ...] = ()

    def of(self, names: Iterable[str]) -> Revision:
        """Return the state of some of the files: of those names, in which ``*`` is any text.

        Examples
        --------
        >>> revision = Revision("0.1.0", datetime(2026, 11, 23), "3dbd6ce4" * 5, ("book/index.md",))
        >>> revision.of(["book/*"]).commit_name, revision.of(["crcen/*.py"]).commit_name
        ('3dbd6ce+changes', '3dbd6ce')
        """
        patterns = (translate(name.replace("**/", "")) for name in names)  # * matches / too
        known = re.compile("|".join(patterns))
        return replace(self, changes=tuple(filter(known.fullmatch, self.changes)))

    @property
    def changed(self) -> bool:
        """Whether there are changes."""
        return bool(self.changes)

    @property
    def commit_name(self) -> str:
        """The commit as people write it."""
        return self.commit[:7] + ("+changes" if self.changed else "")

    @property
    def day(self) -> str:
        """The date as in the prose."""
        return f"{self.date.day} {self.date:%B %Y}"


def citation(root: Path) -> dict[str, Any]:
    """Read CITATION.cff."""
    return yaml.safe_load((root / "CITATION.cff").read_text("utf8"))


def author_name(author: dict[str, str]) -> str:
    """Write the name of one of CITATION.cff's authors, a person or a group.

    Examples
    --------
    >>> author_name({"family-names": "Doe", "given-names": "Jo"}), author_name({"name": "A group"})
    ('Jo Doe', 'A group')
    """
    return author.get("name") or f"{author['given-names']} {author['family-names']}"


def revision(root: Path) -> Revision:
    """Find which state of the sources is in a folder.

    Without git, or in a folder that only happens to lie inside another repository, it is the
    release that CITATION.cff names.
    """
    cff = citation(root)
    released = datetime.fromisoformat(f"{cff['date-released']}T00:00:00+00:00")
    top = _git(root, "rev-parse", "--show-toplevel")
    found = _git(root, "show", "--no-patch", "--format=%H %ct", "HEAD")
    if not top or not found or Path(top).resolve() != root.resolve():
        return Revision(str(cff["version"]), released)
    commit, seconds = found.split()
    date = datetime.fromtimestamp(int(seconds), UTC)
    status = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    changes = tuple(line[3:] for line in _git(root, *status).split("\0") if line)
    return Revision(str(cff["version"]), date, commit, changes)


def kept_files(root: Path) -> list[str]:
    """List the files that git keeps of the folder, or would keep; [] without git."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted(name for name in listed.split("\0") if name and (root / name).is_file())


def data_digests(datasets: Any) -> dict[str, str]:
    """Load the data sets that are at hand, and return the SHA-256 of each one's arrays.

    Parameters
    ----------
    datasets : module
        `crcen.study.datasets`, however it was loaded.
    """
    at_hand = [name for name in datasets.TABLE_2 if datasets.locate_dataset(name)]
    return {name: datasets.load_dataset(name).sha256 for name in at_hand}


def stopped(root: Path) -> str:
    """Say that a build was stopped while it wrote the pages, or ''."""
    mark = root / "_build/.unfinished"  # see extensions/whole_build.py
    if not mark.exists():
        return ""
    return "the last build was stopped, and pages may be half written: run `make book` again."


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints, or '' if it fails or is not installed."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.rstrip() if done.returncode == 0 else ""
