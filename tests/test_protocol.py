"""Tests of crcen.study.protocol: which cells there are, and which search and fit each names."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crcen.choice import choose_lam
from crcen.study.methods import (
    COMPARED,
    HUNDRED,
    METHODS,
    NETWORK_GRID,
    NETWORKS,
    STOPPED,
    WIDE_GRID,
)
from crcen.study.protocol import APPLIED, PROTOCOLS, WISHES, Cell, Fit, Protocol, cells, fit_of
from crcen.study.protocol import text as written

SIX = "abcdef"


def test_the_protocols_have_the_cells_that_they_should():
    count = {name: len(cells(SIX, METHODS, {name: p})) for name, p in PROTOCOLS.items()}
    assert count == {
        "paper": 2 * 6 * len({*COMPARED, *STOPPED}) * 20,  # scores, sets, methods, splits
        "repeated": 2 * 6 * 8 * 20,
        "nested": 2 * 6 * len(COMPARED) * 20,
        "lambda": 6 * 20 * 5,
        "plain": 2 * 6 * 8,
        "weighted": 2 * 6 * 8,
        "wished": 6 * 8 * len(WISHES),
        "wide": 2 * 6 * 5 * 20,
        "hundred": 6 * len(HUNDRED) * 10,
        "hundred held out": 6 * 2 * 10,
    }


def test_every_cell_stands_once():
    every = cells(SIX, METHODS, PROTOCOLS)
    assert len({*every}) == len(every)


def test_parameters_are_tuned_on_the_split_that_the_protocol_says():
    assert [PROTOCOLS["paper"].tuned_on(split) for split in range(20)] == [0] * 20
    assert [PROTOCOLS["nested"].tuned_on(split) for split in range(20)] == [*range(20)]
    repeated = [PROTOCOLS["repeated"].tuned_on(split) for split in range(20)]
    assert repeated == [*np.repeat([0, 4, 8, 12, 16], 4)]


def test_a_method_is_tuned_over_its_grid_and_a_network_over_the_wider_one_where_asked():
    def points(name, protocol):
        return [json.loads(point) for point in protocol.points(METHODS[name])]

    narrow, wide = Protocol(4), Protocol(4, networks=WIDE_GRID)
    for name in NETWORKS:
        for protocol, grid in ((narrow, NETWORK_GRID), (wide, WIDE_GRID)):
            found = points(name, protocol)
            assert len(found) == np.prod([len(values) for values in grid.values()])
            for parameter, values in grid.items():
                assert [v for v in values if any(p[parameter] == v for p in found)] == values
        # What the narrow one has found, the wide one uses.
        assert {*narrow.points(METHODS[name])} < {*wide.points(METHODS[name])}
    assert points("LR", wide) == points("LR", narrow)
    assert points("BRF", narrow) == points("BRF", wide) == [{}]  # which nobody searches


parameters = st.dictionaries(
    st.sampled_from(["C", "l2", "hidden_layer_sizes", "lam"]),
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.lists(st.integers(1, 99))),
)


@given(parameters)
def test_parameters_are_read_as_they_were_written_whatever_their_order(params):
    assert json.loads(written(params)) == params
    assert written(dict(reversed(params.items()))) == written(params)


def test_a_moved_threshold_uses_the_fits_of_the_method_that_it_is_like():
    moved = [name for name, method in METHODS.items() if method.moved]
    assert {name for name in moved if METHODS[name].like} == {
        f"{name} moved" for name in ("MLP", "LR", "HGB", "RF")
    }
    one = fit_of(Cell("paper", "f1", "a", "MLP moved", 3), "{}")
    assert one == fit_of(Cell("nested", "gmean", "a", "MLP", 3), "{}") == Fit("a", "MLP", "{}", 3)


@pytest.mark.parametrize(
    ("weight", "method", "lam"),
    [
        ("", "CRCEN", None),
        ("plain", "MLP", None),
        ("alpha 1", "CRCEN", None),
        ("alpha 0.5", "CRCEN", "alpha 0.5"),
        ("recall 0.8", "CRCEN", "recall 0.8"),
    ],
)
def test_a_weight_is_named_in_the_parameters_unless_another_fit_has_it(weight, method, lam):
    found = fit_of(Cell("lambda", "f1", "a", "CRCEN", 3, weight), '{"l2": 0.1}')
    expected = {"l2": 0.1} | ({"lam": lam} if lam else {})
    assert found == Fit("a", method, written(expected), 3, "test")


def test_the_wishes_are_those_of_choose_lam():
    can = {*inspect.signature(choose_lam).parameters}
    assert {wish for wish, _ in WISHES} <= can
    assert PROTOCOLS["wished"].weights[:2] == ("recall 0.7", "recall 0.8")
    assert PROTOCOLS["wished"].weights[-1] == "expense 10"


def test_wishes_are_answered_by_a_protocol_that_holds_rows_out():
    plain, wished = PROTOCOLS["plain"], PROTOCOLS["wished"]
    assert plain.also == APPLIED
    assert plain.methods == ("MLP",)
    assert "log_loss" in plain.scores
    assert plain.n_splits >= wished.n_splits
    assert (plain.tune_every, wished.tune_every) == (None, None)
    assert APPLIED == ("0", "1", "2", "3", "train")
