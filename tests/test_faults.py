"""What a user's machine does: full and read-only disks, kills, two at once, odd surroundings.

After each, nothing half-written is taken for whole, and the next run ends with the bytes of an
undisturbed one. Where a fault strikes is drawn with the seed that the test prints; it is counted in
files written, not in seconds. `CRCEN_FAULTS=20` draws twenty times.
"""

import faulthandler
import functools
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import bundle
import pdf
import provenance
import psutil
import pytest
import run
import tiny
from bundle import without_times
from conftest import ROOT, git, write_small_book

from crcen.mishaps import SCRATCH
from crcen.study import __main__
from crcen.study.record import KEYS, Record

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("CRCEN_TESTS_SEED") or 0)
again = pytest.mark.parametrize("draw", range(int(os.environ.get("CRCEN_FAULTS") or 1)))
PYTHON = sys.executable
BUILD = [Path(PYTHON).with_name("jupyter-book"), "build", "."]
BENCHMARK = [PYTHON, "-m", "crcen.study", "--datasets", "abalone", "--methods", "RUSB", "--results"]
RERUN = ["--profile", "smoke", "tiny", "n_runs=7"]
FIGURE = """
```{code-cell} python
import matplotlib.pyplot as plt

_ = plt.plot([0, 1])
```
"""


@pytest.fixture(autouse=True)
def net():
    """End a test that hangs: no limit, as it is far from what any machine needs."""
    faulthandler.dump_traceback_later(3600, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def chance(request, draw):
    """Draw, each test by itself, and tell from what."""
    seed = f"{SEED} {request.node.name} {draw}"
    print("random.Random:", seed)
    return random.Random(seed)


def environment(**more):
    known = {"CRCEN_PROFILE": "smoke", "CRCEN_DOWNLOAD": "0", "PYTHONPATH": str(ROOT)}
    return os.environ | known | more


def go(command, cwd=None, before=(), **more):
    """Run a command to its end."""
    env = {name: value for name, value in environment(**more).items() if value is not None}
    return subprocess.run([*before, *command], cwd=cwd, env=env, capture_output=True, text=True)


def told(error, program):
    """The one sentence on stderr; a kernel may say that it was interrupted."""
    lines = [line for line in error.splitlines() if line and "[IPKernelApp]" not in line]
    assert len(lines) == 1, error
    assert lines[0].startswith(f"{program}: ")
    return lines[0]


# What is compared


def pages(root):
    """The pages of the book, without what tells the time of a run.

    A first build writes one link to a style without its checksum, as the file is not there yet.
    """
    found = {}
    html = root / "_build/html"
    for path in html.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".ipynb":
                content = without_times(content)
            elif path.suffix == ".html":
                content = re.sub(rb"(/mystnb\.\w+\.css)\?v=\w+", rb"\1", content)
            found[path.relative_to(html).as_posix()] = content
    return found


def results(folder):
    """The rows of a record by their keys, without the seconds of each."""
    record = Record(folder)  # which reads nothing that is half-written, or says so
    found = {}
    for kind, keys in KEYS.items():
        rows = getattr(record, kind).drop(columns="seconds", errors="ignore")
        for k, row in zip(rows.index, rows.to_dict("records"), strict=True):
            logits = str(record.predictions(k)) if kind == "fits" else ""
            key = (kind, row["dataset"], *(row[name] for name in keys))
            found[key] = str(sorted(row.items())), logits
    return found


def half_written(folder):
    """What is left of files that were not whole; the lock is none."""
    return [path for path in folder.rglob(f"{SCRATCH}*") if path.name != f"{SCRATCH}lock"]


def outcome(root):
    """What a reader's run leaves, without the date, the seconds and the checksums of those."""
    found = {}
    for path in (root / "runs").glob("[!.]*"):  # a killed run's scratch folder is hidden
        content = path.read_bytes()
        if path.suffix == ".ipynb":
            content = without_times(content)
        found[path.name] = re.sub(rb"(A run of )[\d-]+|, in \d+ s: ", rb"\1", content)
    return found


def chapters(root):
    return {p.name: without_times(p.read_bytes()) for p in (root / "book/chapters").iterdir()}


# Undisturbed


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small book as it is kept: two pages, and a chapter with a number and a figure."""
    root = write_small_book(tmp_path_factory.mktemp("source") / "small")
    with (root / "notebooks/one.md").open("a") as file:
        file.write(FIGURE)
    return root


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The small book, built."""
    root = shutil.copytree(source, tmp_path_factory.mktemp("built") / "small")
    done = go(BUILD, root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(name.startswith("_images/") for name in pages(root))
    return root


@pytest.fixture
def executed_book(built, tmp_path):
    """The small book with its chapter executed, but not built."""
    return shutil.copytree(built, tmp_path / "small", ignore=shutil.ignore_patterns("_build"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A filled record."""
    folder = tmp_path_factory.mktemp("record")
    assert fill_store(folder) == 0
    assert len(results(folder)) == 20
    return folder


@pytest.fixture(scope="module")
def own(executed, tmp_path_factory):
    """The tiny project with a reader's run."""
    root = shutil.copytree(executed, tmp_path_factory.mktemp("own") / "project")
    done = go([PYTHON, tiny.__file__, root, *RERUN])
    assert done.returncode == 0, done.stderr
    return root


# Disks


class Disk:
    """A folder on a small disk of its own."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs").returncode:
            pytest.skip("mounting a small disk needs the rights of root")

    def _mount(self, *arguments):
        return subprocess.run(["mount", *arguments, self.folder], capture_output=True)

    def change(self, *options):
        """Mount it anew: read-only, or writable with so much space."""
        assert self._mount("-o", ",".join(["remount", *options])).returncode == 0

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def disk():
    made = []

    def make(folder, size):
        made.append(Disk(folder, size))
        return made[-1]

    yield make
    for each in made:
        each.remove()


def fill_store(folder):
    return __main__.main([*BENCHMARK[3:], str(folder)])


def within(found, whole):
    """Whether all that was found is as it is in the whole."""
    return all(whole[name] == content for name, content in found.items())


@again
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_disk_that_fails_the_benchmark(how, store, disk, tmp_path, chance, capsys):
    folder = tmp_path / "store"
    small = disk(folder, f"{4 * chance.randint(1, 22)}k")  # of 23 pages: the last two are to pack
    if how == "read-only":
        small.change("ro")
    assert fill_store(folder) == 1
    sentence = told(capsys.readouterr().err, "crcen")
    assert str(folder) in sentence
    assert ("no space left on the disk. Free" if how == "full" else "read-only. Make") in sentence
    assert within(results(folder), results(store))
    small.change("rw", "size=10m")
    assert fill_store(folder) == 0
    assert results(folder) == results(store)
    assert half_written(folder) == []


@again
@pytest.mark.parametrize("kilobytes", [(4, 40), (100, 1000), (2000, 7000)])
def test_a_full_disk_fails_a_rerun(kilobytes, project, own, disk, chance, capsys):
    small = disk(project / "runs", f"{chance.randint(*kilobytes)}k")
    assert run.main(RERUN, root=project) == 1
    sentence = told(capsys.readouterr().err, "run.py")
    assert "no space left on the disk. Free some space" in sentence
    assert str(project / "runs") in sentence
    assert within(outcome(project), outcome(own))
    small.change("size=100m")
    assert run.main(RERUN, root=project) == 0
    assert outcome(project) == outcome(own)


@again
@pytest.mark.parametrize("kilobytes", [(8, 2000), (2000, 8000)])
def test_a_full_disk_fails_a_build(kilobytes, executed_book, built, disk, chance):
    small = disk(executed_book / "_build", f"{chance.randint(*kilobytes)}k")
    done = go(BUILD, executed_book)
    assert done.returncode == 1
    sentence = told(done.stderr, "jupyter-book")
    assert "no space left on the disk. Free some space" in sentence
    assert str(executed_book / "_build") in sentence
    assert "make book" in provenance.stopped(executed_book)
    small.change("size=100m")
    assert go(BUILD, executed_book).returncode == 0
    assert provenance.stopped(executed_book) == ""
    assert pages(executed_book) == pages(built)


def test_a_full_disk_fails_a_chapter_of_a_build(source, built, disk, tmp_path):
    root = shutil.copytree(source, tmp_path / "small")
    small = disk(root / "runs", "8k")
    done = go(BUILD, root)
    assert done.returncode == 1
    assert f"{root}/runs" in told(done.stderr, "jupyter-book")
    assert not list(root.glob("book/chapters/*"))
    small.change("size=100m")
    assert go(BUILD, root).returncode == 0
    assert pages(root) == pages(built)


@again
def test_a_file_that_may_not_grow_fails_a_build(executed_book, built, chance):
    size = chance.randint(10_000, 200_000)
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    done = subprocess.run(
        BUILD, cwd=executed_book, env=environment(), capture_output=True, text=True,
        preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 1
    assert "a file may not grow that large" in told(done.stderr, "jupyter-book")
    assert go(BUILD, executed_book).returncode == 0
    assert pages(executed_book) == pages(built)


@pytest.mark.parametrize(
    "command",
    [BUILD, ["notebooks/run.py", "--force"], ["notebooks/run.py", "one"], ["book/pdf.py"],
     ["book/bundle.py"]],
    ids=lambda command: " ".join(map(str, command[-2:])),
)  # fmt: skip
def test_a_read_only_folder_is_told_by_every_command(command, built, disk, tmp_path):
    if command == ["book/pdf.py"] and not any(map(shutil.which, pdf.BROWSERS)):
        pytest.skip("without a browser it says that first")
    small = disk(tmp_path / "disk", "100m")
    root = shutil.copytree(built, small.folder / "small")
    small.change("ro")
    done = go(command if command is BUILD else [PYTHON, *command], root)
    program = "jupyter-book" if command is BUILD else Path(command[0]).name
    assert done.returncode == 1
    assert re.search(rf"{root}\S*: read-only. Make it writable", told(done.stderr, program))
    assert pages(root) == pages(built)


def test_what_is_up_to_date_needs_no_writable_folder(built, disk, tmp_path):
    small = disk(tmp_path / "disk", "100m")
    root = shutil.copytree(built, small.folder / "small")
    small.change("ro")
    done = go([PYTHON, "notebooks/run.py"], root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["one", "fresh"]


def test_a_full_disk_leaves_the_pdf_and_the_bundle_that_were_there(
    built, disk, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "small/_build"
    disk(folder, "40m")
    root = shutil.copytree(built, folder.parent, dirs_exist_ok=True)
    report, archive = folder / "crcen-report.pdf", folder / "a.tar.gz"
    for path in (report, archive):
        path.write_bytes(b"before")
    (folder / "full").write_bytes(b"")
    with (folder / "full").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    revision = provenance.revision(root)
    written = functools.partial(bundle.write_archive, archive, {"a": os.urandom(99)}, revision)
    monkeypatch.setattr(pdf, "find_browser", str)  # it does not come to that
    monkeypatch.setattr(pdf, "make_pdf", functools.partial(pdf.make_pdf, root))
    monkeypatch.setattr(bundle, "make_bundle", written)
    for program, main in (("pdf.py", pdf.main), ("bundle.py", bundle.main)):
        assert main() == 1
        sentence = told(capsys.readouterr().err, program)
        assert "no space left on the disk. Free some space" in sentence
        assert str(folder) in sentence
    assert report.read_bytes() == archive.read_bytes() == b"before"
    left = {path.name for path in folder.iterdir()} - {path.name for path in built.glob("_build/*")}
    assert left == {"crcen-report.pdf", "a.tar.gz", "full"}


# Kills and interruptions


def alive(token):
    """The processes that were started, directly or not, with a token in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("CRCEN_FAULT") == token:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or a stranger's
            continue
    return found


class Struck:
    """A command that a signal strikes when it has written so many files into folders."""

    def __init__(self, command, cwd, folders, log):
        self.folders, self.log, self.token = folders, log, uuid4().hex
        self.before = self.count()
        with log.open("w") as file:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=environment(CRCEN_FAULT=self.token), text=True,
                stdout=subprocess.DEVNULL, stderr=file, start_new_session=True,
            )  # fmt: skip

    def count(self):
        walked = (found for folder in self.folders for found in os.walk(folder))
        return sum(len(inner) + len(files) for _, inner, files in walked)

    def strike(self, number, name, everybody=False):
        """Send the signal to the process, or as a terminal does to all; wait until none is left."""
        while self.process.poll() is None and self.count() < self.before + number:
            time.sleep(0.002)
        if self.process.poll() is None:
            (os.killpg if everybody else os.kill)(self.process.pid, getattr(signal, name))
        status = self.process.wait()
        while alive(self.token):
            time.sleep(0.05)
        error = self.log.read_text()
        print(f"{name} to {'all' if everybody else 'one'} after {number} files: {status} {error}")
        if name == "SIGKILL":
            assert status in (-signal.SIGKILL, 0)  # 0 if it was too late
        else:
            assert status in (130, 0)
        if status == 130:
            assert "stopped; the same command goes on from here" in told(error, program_of(error))


def program_of(error):
    """The program that a sentence begins with."""
    return re.findall(r"^([\w.-]+): stopped", error, re.MULTILINE)[0]


strikes = pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])


@again
@strikes
def test_a_benchmark_that_is_struck(name, store, tmp_path, chance):
    folder = tmp_path / "store"
    struck = Struck([*BENCHMARK, folder, "--n-jobs", "2"], None, [folder], tmp_path / "log")
    struck.strike(chance.randint(1, 24), name, chance.random() < 0.5)
    assert within(results(folder), results(store))
    assert fill_store(folder) == 0
    assert results(folder) == results(store)


def scratch(root):
    return list(root.glob("runs/.scratch-*"))


@again
@strikes
def test_a_rerun_that_is_struck(name, project, own, tmp_path, chance):
    command = [PYTHON, tiny.__file__, project, *RERUN]
    struck = Struck(command, None, [project / "runs"], tmp_path / "log")
    struck.strike(
        chance.choice([chance.randint(1, 4), chance.randint(5, 250)]), name, chance.random() < 0.5
    )
    assert name == "SIGKILL" or scratch(project) == []
    assert within(outcome(project), outcome(own))
    assert run.main(RERUN, root=project) == 0
    assert scratch(project) == []
    assert outcome(project) == outcome(own)


@again
@strikes
def test_a_build_that_is_struck(name, source, built, tmp_path, chance):
    root = shutil.copytree(source, tmp_path / "small")
    folders = [root / name for name in ("runs", "book/chapters", "_build")]
    struck = Struck(BUILD, root, folders, tmp_path / "log")
    struck.strike(
        chance.choice([chance.randint(1, 6), chance.randint(7, 200)]), name, chance.random() < 0.5
    )
    assert name == "SIGKILL" or scratch(root) == []
    if (root / "book/chapters").exists():
        assert within(chapters(root), chapters(built))
    if not provenance.stopped(root):
        assert pages(root) in ({}, pages(built))
    assert go(BUILD, root).returncode == 0
    assert scratch(root) == []
    assert pages(root) == pages(built)


# Two at once


def test_two_builds_at_once_take_turns(source, built, tmp_path):
    root = shutil.copytree(source, tmp_path / "small")
    both = [
        subprocess.Popen(
            BUILD, cwd=root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("waiting for another build") == 1
    assert pages(root) == pages(built)


@again
def test_a_rerun_goes_on_when_its_twin_is_killed(project, own, tmp_path, chance):
    command = [PYTHON, tiny.__file__, project, *RERUN]
    twins = [Struck(command, None, [project / "runs"], tmp_path / f"log{n}") for n in range(2)]
    twins[0].strike(chance.randint(1, 250), "SIGKILL")
    assert twins[1].process.wait() == 0
    assert outcome(project) == outcome(own)
    assert run.main(RERUN, root=project) == 0


# Who reads


@pytest.mark.parametrize("what", ["benchmark", "rerun", "build"])
def test_a_reader_who_goes_ends_it_quietly(what, executed_book, project, tmp_path):
    command, cwd, folder = {
        "benchmark": ([*BENCHMARK, tmp_path / "store"], None, tmp_path / "store"),
        "rerun": ([PYTHON, tiny.__file__, project, *RERUN], None, project / "runs"),
        "build": ([PYTHON, "book/build.py"], executed_book, executed_book / "_build"),
    }[what]
    token = uuid4().hex
    with subprocess.Popen(
        command, cwd=cwd, env=environment(CRCEN_FAULT=token), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        if what == "rerun":  # which prints when it is done
            while not os.path.exists(folder):
                time.sleep(0.01)
        else:
            process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 1
    assert [line for line in error.splitlines() if "[IPKernelApp]" not in line] == []
    while alive(token):
        time.sleep(0.05)


# Surroundings

LOOPBACK = """
import fcntl, os, socket, struct, sys
up = struct.pack("16sH14x", b"lo", 0x41)  # a machine without a network still has this
fcntl.ioctl(socket.socket(), 0x8914, up)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CLOCK = """
import itertools, time
shifts = itertools.cycle([0, 1e6, -1e9])  # seconds, so some days ahead and decades back
time.time = lambda real=time.time: real() + next(shifts)
"""


def test_an_archive_under_a_path_with_umlauts_in_the_locale_c(source, built, tmp_path):
    clone = shutil.copytree(source, tmp_path / "clone")
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "A small book")
    git(clone, "archive", "--prefix=klein & fein/", "--output", str(tmp_path / "a.tar"), "HEAD")
    shutil.unpack_archive(tmp_path / "a.tar", tmp_path / "Ärger mit Lücken", filter="data")
    root = tmp_path / "Ärger mit Lücken/klein & fein"
    done = go(BUILD, root, LANG="C", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert pages(root) == pages(built)
    done = go([PYTHON, "notebooks/run.py", "one"], root, LANG="C", LC_ALL="C")
    assert done.returncode == 0, done.stderr


def test_without_a_network_and_a_home(source, built, tmp_path):
    root = shutil.copytree(source, tmp_path / "small")
    alone = ["unshare", "--net", PYTHON, "-c", LOOPBACK]
    nowhere = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https")}
    nowhere |= {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
    if not shutil.which("unshare") or go(["true"], before=alone).returncode:
        alone = []  # the next best
    done = go(BUILD, root, before=alone, **nowhere)
    assert done.returncode == 0, done.stderr
    assert pages(root) == pages(built)


def test_with_a_clock_that_jumps(source, built, tmp_path):
    root = shutil.copytree(source, tmp_path / "small")
    for number, path in enumerate(path for path in root.rglob("*") if path.is_file()):
        os.utime(path, (4e9, 4e9) if number % 2 else (1e8, 1e8))  # 2096, 1973
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = go(BUILD, root, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert pages(root) == pages(built)
    front = root / "book/index.md"
    front.write_text(front.read_text().replace("# Front", "# Changed"))
    os.utime(front, (0, 0))
    assert go(BUILD, root).returncode == 0
    assert b"<h1>Changed" in pages(root)["book/index.html"]
