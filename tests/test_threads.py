"""Tests of crcen.threads: every library keeps its threads, and a forked worker answers."""

import multiprocessing
import threading

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits

from crcen import CRCENClassifier
from crcen.losses import CROSS_ENTROPY
from crcen.theory.deviations import balance
from crcen.threads import one_thread

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 5))
Y = (X[:, 0] + RNG.normal(size=400) > 1).astype(int)


def threads():
    """How many threads PyTorch and each BLAS may take, here and in a thread that begins now."""
    # Those of NumPy and SciPy: the system's own may have come with another test's library.
    known = [each for each in threadpool_info() if "site-packages" in each["filepath"]]
    blas = [each["num_threads"] for each in known if each["user_api"] == "blas"]
    fresh = []
    new = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
    new.start()
    new.join()
    return torch.get_num_threads(), fresh, blas


@pytest.fixture(autouse=True)
def three():
    """Three threads each, so that one is a change on a machine of one core, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    with threadpool_limits(3, user_api="blas"):
        yield
    torch.set_num_threads(before)


def test_there_is_one_thread_inside_and_as_many_as_before_after_it():
    before = threads()
    assert before[0] == 3
    with one_thread(), one_thread():
        torch_here, _, blas = threads()
        assert torch_here == 1
        assert set(blas) == {1}
    assert threads() == before


def test_an_error_inside_gives_the_threads_back():
    before = threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018 (the error is the point)
    assert threads() == before


def test_threads_that_overlap_give_them_back_whoever_leaves_last():
    before, entered, leave = threads(), threading.Event(), threading.Event()
    within = []

    def first():
        with one_thread():
            entered.set()
            leave.wait()

    def second():
        with one_thread():
            leave.set()
            one.join()
            within.extend(threads()[2])  # the first has left

    one = threading.Thread(target=first)
    one.start()
    entered.wait()
    two = threading.Thread(target=second)
    two.start()
    two.join()
    assert set(within) == {1}
    assert threads() == before


def test_a_grid_search_in_threads_gives_them_back():
    before = threads()
    grid = GridSearchCV(CRCENClassifier((2,), tol=1e-3, random_state=0), {"l2": [1e-2, 1e-3]}, cv=3)
    with parallel_config("threading", n_jobs=2):
        grid.fit(X, Y)
    assert threads() == before


# fork is what multiprocessing does on Linux up to Python 3.13. PyTorch's threads do not come along,
# and who waits for them waits for ever.
@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_worker_predicts_and_fits_after_the_parent_has_predicted_many_rows():
    many = np.tile(X, (150, 1))
    clf = CRCENClassifier((10,), tol=1e-3, random_state=0).fit(X, Y)
    p = clf.predict_proba(many)
    balance(np.tile(Y, 150), clf.decision_function(many), 0.5, CROSS_ENTROPY)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers = [pool.apply_async(clf.predict_proba, [many]), pool.apply_async(clf.fit, [X, Y])]
        # A net for the suite, not a limit: without the fault an answer takes a second.
        again, refitted = (answer.get(timeout=300) for answer in answers)
    np.testing.assert_array_equal(again, p)
    np.testing.assert_allclose(refitted.predict_proba(X), clf.predict_proba(X), atol=1e-3)
