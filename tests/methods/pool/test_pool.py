"""A pool's members are fitted once and answer once, for all pool methods; its oracle is a bound."""

import dataclasses

import pytest
from pydantic import Field

from methods.cache import journal
from methods.core.controls import make_control
from methods.core.method import Cost, MethodConfig
from methods.models.report import FitReport
from methods.pool_oracle import PoolOracle
from methods.rspg import RSPGPost, RSPGPre
from methods.zero_shot import ZeroShot
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.common.files import write_json
from tasks.common.progress import Progress
from tests.methods.helpers import build, example
from tests.methods.two_ages import POOL, FirstScoreLLM, encoder, users

HERE = __name__
TRAINED = {**POOL, "trained": {"method": f"{HERE}:Trained"}}
TRAINING = {"epochs": 1, "batch_size": 4}


class TrainedConfig(MethodConfig):
    """`says`: the score that it puts before the prompt once it is fitted."""

    says: str = Field("5")


class Trained(ZeroShot):
    """Learns to begin the prompt with a score; counts its fits."""

    name = "trained"
    seeded = True
    Config = TrainedConfig
    fits = 0
    learned = None

    def fit(self, train, dev):
        type(self).fits += 1
        self.learned = self.config.says
        return FitReport()

    def prompt(self, example):
        return f"{self.learned} . {example.input}"

    def save(self, folder):
        write_json(folder / "trained.json", {"says": self.learned})

    def load(self, folder):
        self.learned = (folder / "trained.json").read_text().split('"')[3]


class TrainsAtPrediction(ZeroShot):
    """Trains for 2 seconds per user while it predicts, as user-lora does."""

    name = "trains-at-prediction"
    seconds = 0.0

    def predict(self, examples):
        self.seconds = 2.0
        return super().predict(examples)

    def cost(self):
        return Cost(1, 20, 300.0, self.seconds)


class Killed(BaseException):
    pass


class Kills(Progress):
    """Ends the process after `steps` advances."""

    def __init__(self, steps):
        self.left = steps

    def advance(self, steps=1):
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def llm():
    return FirstScoreLLM()


@pytest.fixture
def make(tmp_path, llm):
    """A factory of pool methods that share one cache."""
    words = encoder(tmp_path / "encoder")

    def make_pool(method, pool=POOL, **more):
        config = {"pool": pool} | ({"training": TRAINING} if method is not PoolOracle else {})
        found = build(method, tmp_path, config, llm=llm, encoder=words)
        found.runtime = dataclasses.replace(
            found.runtime, scratch=tmp_path / "scratch" / method.name, **more
        )
        return found

    return make_pool


def prompts(llm):
    return sum(len(call[0]) for call in llm.calls)


def golds(split):
    return {"golds": dict(split.golds)}


def test_a_second_method_reuses_the_answers(make, llm):
    train, test = users(6), users(5, first=50)
    first = make(RSPGPost)
    first.fit(train, None)
    first.predict(test.examples)
    assert prompts(llm) == 3 * (6 + 5)
    for method, more in ((RSPGPre, {}), (PoolOracle, golds(test)), (RSPGPost, {})):
        again = make(method, **more)
        if method is not RSPGPost:
            again.fit(train, None)
        else:
            again.runtime = dataclasses.replace(again.runtime, scratch=again.runtime.cache / "new")
            again.fit(train, None)
        again.predict(test.examples)
    assert prompts(llm) == 3 * (6 + 5)


def test_with_rspg_pre_only_the_chosen_member_answers(make, llm):
    train, test = users(6), users(9, first=50)
    method = make(RSPGPre)
    method.fit(train, None)
    before = prompts(llm)
    method.predict(test.examples)
    assert prompts(llm) == before + 9


def test_answers_are_reused_only_if_nothing_they_depend_on_changes(make, llm):
    (one,) = users(1).examples
    answers = {}
    cases = {
        "same": {},
        "again": {},
        "budget": {"max_input_tokens": 50},
        "seed": {"seeds": make(PoolOracle).runtime.seeds.child("1")},
    }
    for name, more in cases.items():
        before = prompts(llm)
        make(PoolOracle, **more).pool.answers([one])
        answers[name] = prompts(llm) - before
    assert answers == {"same": 3, "again": 0, "budget": 3, "seed": 1}  # of `Trained` alone
    changed = dataclasses.replace(one.history[0], response="3")
    other = [
        dataclasses.replace(one, history=one.history[::-1]),
        dataclasses.replace(one, id="other"),
        dataclasses.replace(one, history=(changed, *one.history[1:])),
    ]
    before = prompts(llm)
    make(PoolOracle).pool.answers(other)
    assert prompts(llm) == before + 3 * 3
    llm.identity = "another"
    make(PoolOracle).pool.answers([one])
    assert prompts(llm) == before + 3 * 4


def test_a_kill_loses_at_most_one_chunk(make, llm, monkeypatch):
    monkeypatch.setattr(journal, "CHUNK", 4)
    examples = users(10).examples
    with pytest.raises(Killed):
        make(PoolOracle, progress=Kills(4)).pool.answers(examples)  # 10 of one, 4 of the next
    assert prompts(llm) == 14
    make(PoolOracle).pool.answers(examples)
    assert prompts(llm) == 30


def test_damaged_predictions_are_reported_and_computed_again(make, llm):
    train = users(6)
    make(RSPGPre).fit(train, None)
    files = sorted((make(RSPGPre).runtime.cache / "pool" / "predictions").glob("*.jsonl"))
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:-10])
    method = make(RSPGPost)
    before = prompts(llm)
    report = method.fit(train, None)
    assert prompts(llm) == before + 1
    assert report.notes["damaged_predictions"] == 1


def test_a_member_that_learns_is_fitted_once(make):
    Trained.fits = 0
    train, test = users(4), users(3, first=50)
    for method in (RSPGPre, RSPGPost, PoolOracle):
        made = make(method, TRAINED, **golds(test))
        made.fit(train, None)
        assert [row[3].text for row in made.pool.answers(test.examples)] == ["5"] * 3
    assert Trained.fits == 1
    changed = dataclasses.replace(train, golds={**train.golds, "0": "3"})
    make(PoolOracle, TRAINED).fit(changed, None)
    assert Trained.fits == 2
    make(PoolOracle, {**TRAINED, "trained": {**TRAINED["trained"], "options": {"says": "1"}}}).fit(
        train, None
    )
    assert Trained.fits == 3


def test_a_damaged_fit_is_set_aside_and_fitted_again(make, monkeypatch):
    monkeypatch.setattr(Trained, "fits", 0)
    train, test = users(4), users(3, first=50)
    first = make(PoolOracle, TRAINED, **golds(test))
    first.fit(train, None)
    load = Trained.load

    def damaged(self, folder):
        if Trained.fits == 1:
            raise ModelError("holds nothing readable", file=folder, hint="Fit it again")
        load(self, folder)

    monkeypatch.setattr(Trained, "load", damaged)
    again = make(PoolOracle, TRAINED, **golds(test))
    with pytest.warns(UserWarning, match="fitted again"):
        again.fit(train, None)
    assert Trained.fits == 2
    assert again.pool.fits == first.pool.fits
    assert again.pool.answers(test.examples) == first.pool.answers(test.examples)


@pytest.mark.parametrize("method", [RSPGPre, RSPGPost, PoolOracle])
def test_a_saved_pool_answers_the_same_after_loading(make, tmp_path, method):
    train, test = users(4), users(3, first=50)
    made = make(method, TRAINED, **golds(test))
    made.fit(train, None)
    made.save(tmp_path / "saved")
    opened = make(method, TRAINED, **golds(test))
    opened.load(tmp_path / "saved")
    assert opened.predict(test.examples) == made.predict(test.examples)
    with pytest.raises(ModelError, match="fitted with the pool none, recency, oldest, trained"):
        make(method).load(tmp_path / "saved")
    (tmp_path / "saved" / "pool.json").write_text("{")
    with pytest.raises(ModelError, match=r"pool\.json: holds no readable pool"):
        make(method, TRAINED).load(tmp_path / "saved")


def test_the_oracle_takes_the_first_of_the_best_answers(make):
    split = users(4)
    found = make(PoolOracle, **golds(split)).predict(split.examples)
    assert [answer.text for answer in found] == list(split.golds.values())
    assert [answer.note for answer in found] == ["member oldest", "member recency"] * 2
    wrong = dict.fromkeys(split.golds, "3")  # what "none" says
    found = make(PoolOracle, golds=wrong).predict(split.examples)
    assert {answer.note for answer in found} == {"member none"}


def test_the_oracle_without_golds_names_the_example(make):
    with pytest.raises(DataError, match=r"id '0': pool-oracle needs golds"):
        make(PoolOracle).predict(users(1).examples)


def test_members_see_neither_golds_nor_bounds(make):
    seen = make(PoolOracle, golds={"0": "5"}, bounds={"oracle": {"0": "5"}}).pool.members[0]
    assert (seen.method.runtime.golds, seen.method.runtime.bounds) == ({}, {})
    assert not any(m.sees_golds for m in (RSPGPre, RSPGPost, ZeroShot))
    assert make_control(PoolOracle, "shuffled-user").sees_golds


def test_the_selector_reads_the_input_for_members_without_a_prompt(make):
    pool = {**POOL, "mean": {"method": "mean-score"}}
    method = make(RSPGPre, pool)
    train = users(4)
    method.fit(train, None)
    rows = method.texts(train.examples)
    assert [row[3] for row in rows] == [example.input for example in train.examples]
    assert rows[0][1].startswith(f"{train.examples[0].history[1].response} is the score for")
    assert method.predict([example("new", "classic")])[0].text == "3"  # no history: as none


BAD = [
    ({}, "a pool of 0"),
    ({"bm25": {"method": "bm25"}}, "a pool of 1 leaves nothing to choose"),
    (
        {**POOL, "x": {"method": "bm52"}},
        "pool member 'x': unknown method 'bm52'. Did you mean 'bm25'",
    ),
    (
        {**POOL, "x": {"method": "bm25", "options": {"kk": 1}}},
        "options of pool member 'x'.*kk.*'k'",
    ),
    ({**POOL, "x": {"method": "pool-oracle"}}, "pool member 'x': 'pool-oracle' reads the golds"),
]


@pytest.mark.parametrize(("pool", "message"), BAD, ids=[message for _, message in BAD])
def test_an_invalid_pool_names_the_member(pool, message):
    for method in (RSPGPre, RSPGPost, PoolOracle):
        with pytest.raises(ConfigError, match=message):
            method.parse_config({"pool": pool}, f"[methods.{method.name}]")


def test_an_inapplicable_member_is_reported_with_the_task(tmp_path):
    pool = {**POOL, "x": {"method": "copy-input"}}
    with pytest.raises(ConfigError, match=r"'x': 'copy-input' is not applicable to LaMP-3"):
        build(PoolOracle, tmp_path, {"pool": pool})


def test_the_cost_is_the_sum_over_the_members(make, llm):
    """Also where stored predictions answer, so that no member trains."""
    pool = {
        "first": {"method": f"{HERE}:TrainsAtPrediction"},
        "second": {"method": f"{HERE}:TrainsAtPrediction"},
    }
    test = users(3)
    computed = make(PoolOracle, pool, **golds(test))
    computed.predict(test.examples)
    assert computed.cost() == Cost(2, 40, 600.0, 4.0)
    prompts_before = prompts(llm)
    reused = make(PoolOracle, pool, **golds(test))
    reused.predict(test.examples)
    assert prompts(llm) == prompts_before
    assert reused.cost() == Cost(2, 40, 600.0, 4.0)


def test_a_pool_is_personal_if_any_member_is():
    rows = {"none": {"method": "zero-shot"}, "again": {"method": "zero-shot"}}
    assert PoolOracle.is_personal(PoolOracle.Config())
    assert not PoolOracle.is_personal(PoolOracle.Config(pool=rows))


def test_the_identity_includes_the_members_and_their_order():
    def identity(method, pool, **options):
        return method.key(method.Config(pool=pool, **options))

    turned = dict(reversed(POOL.items()))
    other = {**POOL, "recency": {"method": "recency", "options": {"k": 2}}}
    found = [identity(RSPGPre, pool) for pool in (POOL, turned, other)]
    found += [identity(RSPGPre, POOL, teacher_temperature=0.1), identity(RSPGPost, POOL)]
    assert all(a != b for i, a in enumerate(found) for b in found[:i])
    slower = {"training": {"checkpoint_minutes": 3}}  # the other keys keep RSPG's own defaults
    assert identity(RSPGPre, POOL, **slower) == identity(RSPGPre, POOL)
