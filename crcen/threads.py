"""One thread for our own arithmetic, and every library's number of threads as it was, after it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from threadpoolctl import ThreadpoolController


class _Here(threading.local):
    inside = False  # whether this thread is in a `one_thread` already


_here = _Here()
_lock = threading.Lock()
_users = 0  # threads inside: BLAS has one limit for all of them, which the last one lifts
_before: tuple[int, Any] = (0, None)  # PyTorch's number of threads, and BLAS's limit to be lifted


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep PyTorch and BLAS to one thread; afterwards they have as many as before.

    Several threads may be inside at once, such as the fits of a grid search with joblib's backend
    "threading". PyTorch's threads must not be started at all where a process may be forked later:
    a child that waits for them waits for ever.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    global _users, _before
    if _here.inside:
        yield
        return
    with _lock:
        if not _users:
            _free_blas()
            _before = torch.get_num_threads(), _blas().limit(limits=1)
        _users += 1
        _here.inside = True
    try:
        torch.set_num_threads(1)  # of this thread, and of those that begin from now on
        yield
    finally:
        with _lock:
            n_threads, limit = _before
            torch.set_num_threads(n_threads)
            _users -= 1
            _here.inside = False
            if not _users:
                _lift(limit)


def _lift(limit: Any) -> None:
    _free_blas()
    limit.restore_original_limits()
    _free_blas()


def _free_blas() -> None:
    """Let this thread set OpenBLAS's number: to threadpoolctl 3.8 it belongs to who set it last."""
    for library in _blas().lib_controllers:
        if release := getattr(library, "clear_controlling_thread", None):
            release(force=True)


@cache
def _blas() -> ThreadpoolController:
    # Looks through the loaded libraries, which takes milliseconds.
    return ThreadpoolController().select(user_api="blas")


def _after_fork() -> None:
    """Count this thread alone: the others did not come along."""
    global _users
    _lock.release()
    if _users and not _here.inside:
        _lift(_before[1])
    _users = int(_here.inside)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork
    )
