"""`bench data git`, then `bench data verify` and a suite over what it wrote."""

import pytest

from bench.data import Data
from bench.settings import load_settings
from tasks.common.errors import DataError
from tasks.lamp import LaMP6
from tests.tasks.data.git.repositories import Act, make_repository, needs_git

pytestmark = needs_git


def test_repositories_become_data_that_verify_accepts(bench, tmp_path):
    names = ["Ann Lee", "Ben Oh"]
    acts = [
        Act(f"Step {n} of {name}\n\n{name} takes word{n}{name[:2]} and no other way", name, f"{name[:3]}@x.org")
        for n in range(6)
        for name in names
    ]  # fmt: skip
    repository = make_repository(tmp_path / "some", acts)
    out = tmp_path / "data"
    options = ["--dev", "1", "--train", "2", "--min-history", "2", "--out", str(out)]
    done = bench("data", "git", str(repository), *options)
    assert done.code == 0, done.err
    assert "some: 12 commits at " in done.out
    assert "2 authors, 4 train and 2 dev queries, histories of 5 commits (median)" in done.out
    assert "intervals resample authors, and 2 are few" in done.out
    done = bench("data", "verify", "LaMP-6", "--root", str(out))
    assert (done.code, "warning" in done.out) == (0, False)
    done = bench("data", "git", str(repository), *options)
    assert (done.code, done.out) == (2, "")
    assert "exists already. Choose another folder as --out" in done.err
    assert bench("data", "git", str(tmp_path / "x"), *options).code == 2


def test_the_suite_says_how_to_make_its_data(tmp_path):
    settings = load_settings(None, [f"data.git.root={tmp_path / 'none'}"], "real-git")
    _, suite = settings.suite("real-git")
    with pytest.raises(
        DataError, match=r"none: there is no such folder.*bench data git REPO… --out"
    ):
        Data(settings, suite, "git").load(LaMP6, "dev")
