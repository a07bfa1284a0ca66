"""One plug for several tasks: what it learns from, and what it must not see."""

import dataclasses
from itertools import count

import pytest
import torch

from bench.conformance.command import check_method
from bench.settings import load_settings
from methods import METHODS
from methods.core.controls import make_control
from methods.core.task_group import TaskData, TaskGroup, choose_tasks
from methods.models.training import TrainingData
from methods.pplug import PPlug, PPlugConfig
from methods.prefix.joint import join
from tasks import TASKS
from tasks.common.errors import ConfigError
from tasks.common.seeds import Seeds
from tests.methods.helpers import split
from tests.methods.plugs import EXAMPLES, GOLDS, TRAIN, ByHand, in_float64, pplug

SECOND = split({"1": "drama", "4": "sci fi", "6": "war"}, [EXAMPLES[n] for n in (1, 4, 6)])
"""LaMP-2's train set; LaMP-3's is TRAIN."""
NUMBERS = count()
ONE_STEP = {"max_steps": 1, "batch_size": 7, "learning_rate": 1e-2, "warmup_share": 0}


def group(second=SECOND, first=TRAIN):
    """LaMP-2 and LaMP-3."""
    sets = {"LaMP-2": second, "LaMP-3": first}

    def load(name):
        seeds = Seeds.root("test", name)
        return TaskData(TASKS.get(name)(), seeds, sets[name], None, sets[name].examples)

    return TaskGroup(("LaMP-3", "LaMP-2"), Seeds.root("shared"), load)


def fitted(folder, train_on, *, train=TRAIN, second=SECOND, task="LaMP-3", **config):
    """The weights of a plug for `task`, whose own train set is `train`."""
    method = pplug(folder, train_on=train_on, training=ONE_STEP, whiten=True, augment=1, **config)
    runtime = method.runtime
    runtime.task, runtime.seeds = TASKS.get(task)(), Seeds.root("test", task)
    runtime.population, runtime.scratch = train.examples, folder / "scratch" / str(next(NUMBERS))
    runtime.group = group(second) if task == "LaMP-3" else group(train, second)
    method = PPlug(method.config, runtime)
    report = method.fit(train, None)
    return method.plug.state_dict(), report


def equal(weights, others):
    return all(torch.equal(weights[name], others[name]) for name in weights)


def counted(values):
    """Training data whose rows have these (NLL, tokens); the epoch is added to the NLL."""

    def nll(rows, epoch):
        return (
            torch.tensor([values[row][0] + epoch for row in rows]),
            torch.tensor([values[row][1] for row in rows]),
        )

    ids = [f"q{row}" for row in range(len(values))]
    return TrainingData(ids, [10 * count for _, count in values], nll)


def test_joined_rows_come_back_in_the_order_asked_for():
    data = join({"A": counted([(1.0, 2), (3.0, 4)]), "B": counted([(5.0, 6), (7.0, 8)])})
    assert data.ids == ["A q0", "A q1", "B q0", "B q1"]
    assert data.lengths == [20, 40, 60, 80]
    nll, tokens = data.nll([3, 0, 2, 1], 0)
    assert (nll.tolist(), tokens.tolist()) == ([7.0, 1.0, 5.0, 3.0], [8, 2, 6, 4])
    nll, tokens = data.nll([2], 1)
    assert (nll.tolist(), tokens.tolist()) == ([6.0], [6])


def test_an_epochs_loss_is_that_of_all_tasks_weighted_by_their_tokens(tmp_path):
    """Of LaMP-3 and LaMP-2, a row at a time: (ΣNLL + ΣNLL) / (tokens + tokens)."""
    still = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-15, "evaluations": 1}
    options = {"encoder_trainable": False, "labels_in_history": True, "training": still}
    method = in_float64(tmp_path, "t5", train_on="all", **options)
    method.runtime.group = group()
    report = method.fit(TRAIN, None)
    hand = ByHand(method, tmp_path)
    rows = [
        hand.nll(example, data.golds[example.id])
        for data in (TRAIN, SECOND)
        for example in data.examples
    ]
    expected = sum(value for value, _ in rows) / sum(count for _, count in rows)
    assert report.curve[0]["loss"] == pytest.approx(float(expected), rel=1e-9)
    assert report.examples == len(TRAIN) + len(SECOND) == 10
    assert report.notes["empty_histories"] == 2  # EXAMPLES[1], once in each task


def test_with_others_the_plug_never_sees_the_tasks_own_train_set(tmp_path):
    weights, report = fitted(tmp_path, "others")
    assert report.examples == 4  # of LaMP-2: 3, and a copy of the one with more than 2 items
    golds = dict.fromkeys(GOLDS, "1")
    changed = dataclasses.replace(
        TRAIN, examples=tuple(EXAMPLES[3:]), golds=golds, fingerprint="new"
    )
    same, _ = fitted(tmp_path, "others", train=changed)
    assert equal(weights, same)
    other, _ = fitted(tmp_path, "others", second=dataclasses.replace(SECOND, golds=golds))
    assert not equal(weights, other)


def test_with_all_tasks_each_task_gets_the_same_plug(tmp_path):
    weights, report = fitted(tmp_path, "all")
    same, again = fitted(tmp_path, "all", task="LaMP-2", train=SECOND, second=TRAIN)
    assert equal(weights, same)
    assert report == again
    golds = dict.fromkeys(GOLDS, "1")
    other, _ = fitted(tmp_path, "all", train=dataclasses.replace(TRAIN, golds=golds))
    assert not equal(weights, other)


def test_whitening_is_estimated_over_the_histories_of_all_tasks(tmp_path):
    half = [dataclasses.replace(e, history=e.history[:1]) for e in EXAMPLES]
    weights, _ = fitted(
        tmp_path, "all", train=dataclasses.replace(TRAIN, examples=tuple(half))
    )  # LaMP-2's histories have texts that these lack
    alone = pplug(tmp_path / "alone", whiten=True)
    vectors = [
        alone.histories.distinct(data)
        for data in (SECOND.examples, half)  # sorted by task, each text once a task
    ]
    mean = torch.from_numpy(vectors[0]).sum(0) + torch.from_numpy(vectors[1]).sum(0)
    expected = mean / sum(map(len, vectors))
    torch.testing.assert_close(weights["whitening.mean"], expected)


@pytest.mark.parametrize(
    ("train_on", "chosen"),
    [("task", ()), ("all", ("A", "B", "C")), ("others", ("A", "C"))],
)
def test_tasks_are_chosen_in_an_order_that_no_suite_decides(train_on, chosen):
    assert choose_tasks(train_on, "B", ["C", "B", "A"]) == chosen


@pytest.mark.parametrize("train_on", ["all", "others"])
def test_one_task_alone_is_refused(tmp_path, train_on):
    method = pplug(tmp_path, train_on=train_on)
    for alone in (None, dataclasses.replace(group(), names=("LaMP-3",))):
        method.runtime.group = alone
        with pytest.raises(ConfigError, match=r'train_on = "\w+" needs several.*LaMP-3 alone'):
            method.fit(TRAIN, None)


def test_a_pool_takes_no_member_that_is_trained_on_other_tasks():
    member = {"method": "pplug", "options": {"train_on": "others"}}
    options = {"pool": {"plug": member, "none": {"method": "zero-shot"}}}
    with pytest.raises(ConfigError, match="pool member 'plug' is trained on several tasks"):
        METHODS.get("pool-oracle").parse_config(options, "here")


def test_the_option_is_in_the_key_only_where_it_is_used():
    assert "train_on" not in PPlug.key(PPlugConfig()).options
    assert PPlug.key(PPlugConfig(train_on="all")).options["train_on"] == "all"


def test_swapped_histories_in_training_are_swapped_on_every_task(tmp_path):
    """Among the users of each task: a user of LaMP-2 gets another user's history of LaMP-2."""
    method = pplug(tmp_path, train_on="others", training=ONE_STEP)
    method.runtime.group, method.runtime.population = group(), TRAIN.examples
    kind = make_control(PPlug, "shuffled-user+training")
    assert kind.trains_on(method.config) == "others"
    control = kind(method.config, method.runtime)
    control.fit(TRAIN, None)
    swapped = control.inner.runtime.group.load("LaMP-2").train.examples
    users = {example.id: {item.id for item in example.history} for example in SECOND.examples}
    longest = {id: len(items) for id, items in users.items()}
    assert [len(example.history) for example in swapped] == [0, 2, 2]  # cut to the other's 2
    assert longest == {"1": 0, "4": 2, "6": 5}
    texts = [[item.text for item in example.history] for example in swapped]
    assert texts[2] == [item.text for item in EXAMPLES[4].history]


def test_a_plug_for_all_tasks_conforms(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text("")
    settings = load_settings(path, ["methods.pplug-whitened.training.epochs=1"], None)
    found = list(check_method(settings, "pplug-whitened-all-tasks", ["LaMP-7"]))
    assert not [f"{r.name}: {r.detail}" for _, r in found if not r.passed]
    assert [r.name for _, r in found if r.skipped] == ["seeds"]
