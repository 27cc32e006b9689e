"""Tests of crcen.study.provenance: what a result rests on is told, and nothing else."""

import ast
import io
import os
import platform
import subprocess
import sys
import tokenize
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from crcen.study import provenance
from crcen.study.methods import METHODS
from crcen.study.provenance import COMPUTES, REGISTRIES, code, kernels, processor, versions

SOURCE = '''"""A module."""
import os


class One:
    """A class."""

    A = "# no comment"  # one
    B = """
not a docstring
"""

    def method(self):
        """A method.

        # of more lines
        """
        return os.sep + self.A
'''
# Edits that change nothing that is computed, and such that may.
SAME = [
    ('"""A module."""', '"""Another\n\nmodule."""'),
    ('"""A module."""\n', ""),
    ('"""A class."""', "'A class, told otherwise.'"),
    ("# of more lines", "# of some more"),
    ("# one", "# two"),
    ("  # one", ""),
    ("import os\n", "# first\nimport os  \n\n\n"),
    ("return", "# now\n        return"),
]
OTHER = [
    ("# no comment", "# no remark"),
    ("not a docstring", "no docstring"),
    ("os.sep", "os.linesep"),
    ("import os", "import os, sys"),
    ("        return", "        self.A = ''\n        return"),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_comments_docstrings_and_blank_lines_do_not_count(old, new):
    assert old in SOURCE
    assert provenance._bare(SOURCE.replace(old, new, 1)) == provenance._bare(SOURCE)


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_everything_else_counts(old, new):
    assert old in SOURCE
    assert provenance._bare(SOURCE.replace(old, new, 1)) != provenance._bare(SOURCE)


def tokens(source, without=()):
    """What a program says, without its layout and comments, and blank lines of its strings."""
    kinds = {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}
    lines = io.StringIO(source).readline
    every = tokenize.generate_tokens(lines)
    kept = [t.string for t in every if t.type in kinds and t.start[0] not in without]
    return ["\n".join(filter(str.strip, text.splitlines())) for text in kept]


def test_what_is_left_of_each_module_is_all_that_it_says():
    for source in provenance._modules(COMPUTES).values():
        documented = ast.Module | ast.ClassDef | ast.FunctionDef
        nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, documented)]
        docstrings = {n.body[0].lineno for n in nodes if ast.get_docstring(n) is not None}
        assert tokens(provenance._bare(source)) == tokens(source, without=docstrings)


@pytest.mark.slow
def test_the_modules_are_all_that_a_fit_is_computed_by():
    found = {*provenance._modules(COMPUTES)}
    # Ask Python itself what is imported, in a process that has not imported anything else.
    script = f"import sys, {COMPUTES}; print(*(n for n in sys.modules if n.startswith('crcen.')))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    packages = {"crcen.study", "crcen.theory"}
    # The scores take the name of four counts from the one; the other is the classifier of two
    # methods alone, and says that their rows do not know of a change.
    by_registries = {"crcen.theory.expense", "crcen.study.stopped", "crcen.study.trees"}
    assert {*ran.stdout.split()} - packages - REGISTRIES - by_registries <= found
    assert {"crcen.kernels", "crcen.solver", "crcen.study.splits", COMPUTES} <= found
    assert not found & REGISTRIES
    assert not any(name.startswith("crcen.study.run") for name in found)  # whatever fills a record


# The digest is taken in a package that is written anew, since the real one is what is tested.


@pytest.fixture
def edited(monkeypatch):
    """Take the digest as if modules had been edited: from their name to their text."""

    def digest(name="", old="", new="", method="CRCEN"):
        real = Path.read_text

        def read(path, *args, **options):
            text = real(path, *args, **options)
            if name and path.as_posix().endswith(f"{name.replace('.', '/')}.py"):
                assert old in text
                return text.replace(old, new, 1)
            return text

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", read)
            provenance._sources.cache_clear()
            found = code(METHODS[method].pipeline(0))
        provenance._sources.cache_clear()
        return found

    return digest


@pytest.mark.parametrize("name", ["fit", "splits"])
def test_the_digest_changes_with_the_code_and_not_with_words_about_it(edited, name):
    first = "from __future__ import annotations\n"
    now = edited()
    assert len(now) == 12
    assert edited() == now
    assert edited(f"crcen.study.{name}", first, f"{first}\n# a remark\n") == now
    assert edited(f"crcen.study.{name}", '"""', '"""More words: ') == now
    assert edited(f"crcen.study.{name}", first, f"{first}EXTRA = 1\n") != now


def test_the_digest_changes_with_what_is_imported_from_far(edited):
    first = "from __future__ import annotations\n"
    assert edited("crcen.solver", first, f"{first}EXTRA = 1\n") != edited()


@pytest.mark.parametrize("name", sorted(REGISTRIES))
def test_a_new_entry_of_a_registry_leaves_the_digest_as_it_is(edited, name):
    first = "from __future__ import annotations\n"
    assert edited(name, first, f"{first}EXTRA = 1\n") == edited()


def test_the_digest_changes_with_the_parameters_of_the_method():
    one, other = LogisticRegression(C=1.0), LogisticRegression(C=2.0)
    assert code(one) == code(LogisticRegression(C=1.0)) != code(other)
    digests = {name: code(method.pipeline(0)) for name, method in METHODS.items()}
    for name, method in METHODS.items():
        if method.like:
            assert digests.pop(name) == digests[method.like]  # whose fits it uses
    assert len({*digests.values()}) == len(digests)


@pytest.mark.slow
def test_another_process_tells_the_same_digests():
    script = (
        "from crcen.study.methods import METHODS; from crcen.study.provenance import code\n"
        "print(*(code(method.pipeline(0)) for method in METHODS.values()))"
    )
    asked = os.environ | {"PYTHONHASHSEED": "7"}
    told = subprocess.run([sys.executable, "-c", script], env=asked, capture_output=True, text=True)
    assert told.stdout.split() == [code(method.pipeline(0)) for method in METHODS.values()]


def test_versions_and_kernels_are_those_that_run():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["imbalanced-learn"] == version("imbalanced-learn")
    assert f"CPU capability usage: {kernels()['torch']}" in torch.__config__.show()
    assert processor()


def test_a_blas_of_another_library_has_no_part_in_a_result(monkeypatch):
    loaded, before = provenance.threadpool_info(), kernels()
    other = {"user_api": "blas", "filepath": "/usr/lib/libblas.so", "architecture": "Another"}
    monkeypatch.setattr(provenance, "threadpool_info", lambda: [*loaded, other])
    assert kernels() == before
    monkeypatch.setattr(provenance, "threadpool_info", lambda: [other])  # of a distribution
    assert kernels()["blas"] == ["Another"]


def test_the_processor_is_named_where_the_system_tells_nothing(monkeypatch):
    def lacking(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", lacking)
    assert processor.__wrapped__() == (platform.processor() or platform.machine())
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "nothing: of it\n")
    assert processor.__wrapped__() == platform.machine()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of x86")
def test_the_kernels_that_were_asked_for_are_told():
    asked = os.environ | {
        "OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "NUMBA_CPU_NAME": "haswell"
    }  # fmt: skip
    script = "from crcen.study.provenance import kernels; print(kernels())"
    told = subprocess.run([sys.executable, "-c", script], env=asked, capture_output=True, text=True)
    assert told.stdout == "{'blas': ['Haswell'], 'torch': 'AVX2', 'numba': 'haswell'}\n"
