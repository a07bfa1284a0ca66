"""bench.toml is strict: every mistake is named with the key and the nearest one."""

import pytest
from pydantic import ValidationError

from bench.settings import load_settings
from tasks.common.errors import ConfigError

TOML = """
default_suite = "s"

[store]
runs = "out/runs"

[data.real]
root = "lamp"

[llms.big]
model = "models/big"
decoding = { num_beams = 4 }

[llms.made]
scratch = { d_model = 64 }

[encoders.minilm]
model = "package:there/model"

[methods.bm25]
k = 4

[methods.few]
method = "bm25"
k = 1
training = { epochs = 2, learning_rate = 1e-3 }
per_task."LaMP-3" = { training = { epochs = 1 } }

[suites.s]
data = "real"
tasks = ["LaMP-3"]
methods = ["bm25"]

[suites.t]
data = "real"
tasks = ["LaMP-2"]
methods = ["few"]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


def refused(config, *overrides, suite=None):
    with pytest.raises(ConfigError) as error:
        load_settings(config, overrides, suite)
    return str(error.value)


def swapped(config, old, new):
    assert TOML.count(old) >= 1
    config.write_text(TOML.replace(old, new, 1), encoding="utf-8")
    return config


@pytest.mark.parametrize(
    ("old", "new", "place", "nearest"),
    [
        ("[store]", "defualt_suite = 's'\n[store]", "defualt_suite", "default_suite"),
        ("runs =", "rums =", "store.rums", "runs"),
        ("root =", "rot =", "data.real.rot", "root"),
        ("model =", "modle =", "llms.big.modle", "model"),
        ("num_beams", "num_beam", "llms.big.decoding.num_beam", "num_beams"),
        ("d_model", "d_modle", "llms.made.scratch.d_modle", "d_model"),
        ('model = "package', 'medel = "package', "encoders.minilm", "model"),
        ("tasks =", "task =", "suites.s", "tasks"),
        ("[suites.t]", "[suites.t]\nmax_input_token = 9", "suites.t.max_input_token",
         "max_input_tokens"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_named_with_the_nearest_one(config, old, new, place, nearest):
    message = refused(swapped(config, old, new))
    assert str(config) in message
    assert place in message
    assert nearest in message


@pytest.mark.parametrize(
    ("override", "place", "why"),
    [
        ("seeds=0", "suites.s.seeds", "tuple"),
        ("seeds=[-1]", "suites.s.seeds.0", "greater than or equal to 0"),
        ("seeds=[]", "suites.s.seeds", "at least 1"),
        ("tasks=[]", "suites.s.tasks", "at least 1"),
        ("max_input_tokens=0", "suites.s.max_input_tokens", "greater than 0"),
        ("max_input_tokens=many", "suites.s.max_input_tokens", "integer"),
        ('controls="yes"', "suites.s.controls", "boolean"),
        ("controls=perhaps", "suites.s.controls", "boolean"),
        ("split=random", "suites.s.split", "'user' or 'time'"),
        ("evaluate=train", "suites.s", "`train` and `evaluate` are both 'train'"),
        ("data.real.sample=0", "data.real", "one of `root`, `sample` and `mini`"),
        ("llms.big.scratch.d_model=8", "llms.big", "either `model` or `scratch`"),
        ("llms.new.adapt=full", "llms.new", "either `model` or `scratch`"),
        ("scoring.confidence=95", "scoring.confidence", "less than 1"),
        ("scoring.unparsed=zero", "scoring.unparsed", "'lamp' or 'pplug'"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(config, override, place, why):
    message = refused(config, override)
    assert f"`{place}`" in message
    assert why in message


def test_several_faults_are_counted(config):
    assert "and 1 more fault" in refused(config, "seeds=[]", "max_input_tokens=0")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("methods..k=3", "not of the form key=value"),
        ("sedes=[1]", "Did you mean 'seeds'"),
        ("strore.runs=x", "Did you mean 'store'"),
        ("default_suite.x=1", "'default_suite' is not a table"),
        ("seeds\nx=1", "not of the form key=value"),
        ('"seeds=1', "not of the form key=value"),
    ],
)
def test_a_malformed_override_is_refused(config, override, message):
    assert message in refused(config, override)


def test_overrides_mean_the_running_suite_or_any_key(config):
    overrides = [
        "seeds=[1, 2]",
        "methods.bm25.k=7",
        "suites.s.reference=bm25",
        "llms.big.adapt=lora",
    ]
    settings = load_settings(config, overrides, suite="t")
    assert settings.suites["t"].seeds == (1, 2)
    assert settings.suites["s"].seeds == (0,)
    assert settings.suites["s"].reference == "bm25"
    assert settings.methods["bm25"] == {"k": 7}
    assert settings.llms["big"].adapt == "lora"
    assert settings.llms["big"].decoding.num_beams == 4


def test_without_a_suite_an_override_means_the_default_one(config):
    assert load_settings(config, ["evaluate_limit=3"]).suites["s"].evaluate_limit == 3


@pytest.mark.parametrize(("text", "value"), [("[]", []), ('"bm25"', "bm25"), ("plain", "plain")])
def test_an_override_is_toml_or_plain_text(config, text, value):
    assert load_settings(config, [f"methods.bm25.x={text}"]).methods["bm25"]["x"] == value


def test_a_key_that_suites_and_the_file_share_is_the_suites_when_it_stands_alone(config):
    settings = load_settings(
        config, ['methods=["few"]', "data=real", "data.real.known_faults=keep"]
    )
    assert settings.suites["s"].methods == ("few",)
    assert settings.data["real"].known_faults == "keep"


@pytest.mark.parametrize(
    "override",
    [
        'llms."qwen2.5-1.5b".batch_size=4',
        "llms.'qwen2.5-1.5b'.batch_size = 4",
        'llms."qwen2.5-1.5b"={ model = "m", batch_size = 4 }',
    ],
)
def test_an_overrides_key_may_be_quoted(config, override):
    config.write_text(TOML + '[llms."qwen2.5-1.5b"]\nmodel = "m"\n', encoding="utf-8")
    assert load_settings(config, [override]).llms["qwen2.5-1.5b"].batch_size == 4


def test_an_unquoted_name_with_dots_is_explained(config):
    config.write_text(TOML + '[llms."qwen2.5-1.5b"]\nmodel = "m"\n', encoding="utf-8")
    message = refused(config, "llms.qwen2.5-1.5b.batch_size=4")
    assert """Quote the name: --set 'llms."qwen2.5-1.5b".KEY=VALUE'""" in message


def test_an_overrides_quotes_may_hold_an_equals_sign(config):
    settings = load_settings(config, ['methods.few."a=b"=c=d'])
    assert settings.methods["few"]["a=b"] == "c=d"


def test_an_override_of_an_unknown_suite_names_the_nearest(config):
    config.write_text(TOML.replace("suites.t", "suites.sample"), encoding="utf-8")
    message = refused(config, "seeds=[1]", suite="sampel")
    assert "unknown suite 'sampel'. Did you mean 'sample'" in message


def test_per_task_options_replace_only_what_they_name(config):
    settings = load_settings(config)
    other = {"k": 1, "training": {"epochs": 2, "learning_rate": 1e-3}}
    third = {"k": 1, "training": {"epochs": 1, "learning_rate": 1e-3}}
    assert settings.variant("few", "LaMP-2") == ("bm25", other)
    assert settings.variant("few", "LaMP-3") == ("bm25", third)
    assert settings.variant("few") == ("bm25", other)
    assert settings.variant("recency", "LaMP-3") == ("recency", {})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('"LaMP-33" = { k = 2 }', "Did you mean 'LaMP-3'"),
        ('"LaMP-3" = 2', "not a table of tables"),
    ],
)
def test_a_per_task_table_that_fits_no_task_is_refused(config, table, message):
    swapped(config, "[methods.bm25]", f"[methods.bm25]\nper_task = {{ {table} }}")
    with pytest.raises(ConfigError, match=message):
        load_settings(config).variant("bm25", "LaMP-3")


def test_a_method_is_named_by_text(config):
    swapped(config, 'method = "bm25"', "method = 3")
    with pytest.raises(ConfigError, match="names its method by 3"):
        load_settings(config).variant("few")


def test_relative_folders_start_at_the_files_own(config, monkeypatch, tmp_path):
    (tmp_path / "models" / "big").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load_settings(config)
    assert settings.store.runs == tmp_path / "out" / "runs"
    assert settings.store.cache == tmp_path / "results" / "cache"
    assert settings.data["real"].root == tmp_path / "lamp"
    assert settings.llms["big"].model == str((tmp_path / "models" / "big").resolve())
    assert settings.encoders["minilm"].model == "package:there/model"


def test_absolute_folders_stay(config, tmp_path):
    settings = load_settings(config, [f"store.runs={tmp_path}/x", f"data.real.root={tmp_path}/y"])
    assert (settings.store.runs, settings.data["real"].root) == (tmp_path / "x", tmp_path / "y")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda settings: settings.suite("u"), "unknown suite 'u'"),
        (lambda settings: settings.llm("bug"), "unknown LLM 'bug'. Did you mean 'big'"),
        (lambda settings: settings.encoder("minilmm"), "unknown encoder .* 'minilm'"),
        (lambda settings: settings.source("reel"), "unknown data source 'reel'. .* 'real'"),
    ],
)
def test_an_unknown_name_tells_the_nearest(config, ask, message):
    with pytest.raises(ConfigError, match=message):
        ask(load_settings(config))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"default_suite = ", "is not readable TOML"),
        (b"default_suite = '\xff'", "is not readable TOML"),
        (b"default_suite = 3", "`default_suite`: Input should be a valid string"),
    ],
)
def test_an_unreadable_file_is_named(config, content, message):
    config.write_bytes(content)
    assert refused(config).startswith(f"{config}: ")
    assert message in refused(config)


def test_a_byte_order_mark_is_no_part_of_the_file(config):
    config.write_text(TOML, encoding="utf-8-sig")
    assert load_settings(config).default_suite == "s"


@pytest.mark.parametrize("section", ["suites", "methods", "data"])
@pytest.mark.parametrize(
    "name", ["../../x", "/x", "a\\\\b", "..", ".x", "", " x", "a@b", "a\\u0000b", "x" * 101]
)
def test_a_name_cannot_leave_the_results_folder(config, section, name):
    body = {
        "suites": 'data = "real"\ntasks = ["LaMP-3"]\nmethods = ["bm25"]',
        "methods": 'method = "bm25"',
        "data": "sample = 0",
    }[section]
    config.write_text(f'{TOML}[{section}."{name}"]\n{body}\n', encoding="utf-8")
    assert "is not usable as a name" in refused(config)


@pytest.mark.parametrize("name", ["été", "日本語", "a b", "a.b", "[red]", "x" * 100])
def test_a_name_may_be_anything_else(config, name):
    config.write_text(f'{TOML}[data."{name}"]\nsample = 0\n', encoding="utf-8")
    assert load_settings(config).source(name).sample == 0


def test_a_missing_file_is_named(tmp_path):
    message = refused(tmp_path / "bench.toml")
    assert "there is no such file" in message
    assert "--config" in message


def test_settings_are_frozen(config):
    settings = load_settings(config)
    with pytest.raises(ValidationError):
        settings.store.runs = "elsewhere"


def test_a_suite_takes_over_what_it_does_not_set(tmp_path):
    config = tmp_path / "bench.toml"
    config.write_text(
        'default_suite = "a"\n[suites.a]\ndata = "d"\ntasks = ["LaMP-2"]\nmethods = ["bm25"]\n'
        'seeds = [1]\n[suites.b]\nlike = "a"\nmethods = ["dense"]\n[suites.c]\nlike = "b"\nseeds = [2]\n'
    )
    suites = load_settings(config).suites
    found = {name: (s.tasks, s.methods, s.seeds) for name, s in suites.items() if name in "abc"}
    assert found == {
        "a": (("LaMP-2",), ("bm25",), (1,)),
        "b": (("LaMP-2",), ("dense",), (1,)),
        "c": (("LaMP-2",), ("dense",), (2,)),
    }


def test_a_suite_takes_over_training_and_options(tmp_path):
    config = tmp_path / "bench.toml"
    config.write_text(
        'default_suite = "a"\n[data.d]\nsample = 0\n'
        '[suites.a]\ndata = "d"\ntasks = ["LaMP-2"]\nmethods = ["bm25", "pplug"]\n'
        "training = { epochs = 2, batch_size = 8 }\n"
        "options.bm25 = { k = 2 }\noptions.pplug = { n_tokens = 2 }\n"
        '[suites.b]\nlike = "a"\nmethods = ["pplug@own-random", "dense"]\n'
        "training = { epochs = 3 }\noptions.pplug = { attention = false }\n"
    )
    suites = load_settings(config).suites
    assert suites["b"].training == {"epochs": 3, "batch_size": 8}
    assert suites["b"].options == {
        "bm25": {"k": 2},  # for `run -m bm25`
        "pplug": {"n_tokens": 2, "attention": False},
    }
    assert suites["a"].options == {"bm25": {"k": 2}, "pplug": {"n_tokens": 2}}


@pytest.mark.parametrize("wrong", ["methods=3", "options=3", "training=3"])
def test_a_wrong_type_in_a_suite_like_another_is_told(tmp_path, wrong):
    config = tmp_path / "bench.toml"
    config.write_text(
        'default_suite = "b"\n[suites.a]\ndata = "d"\ntasks = ["LaMP-2"]\nmethods = ["bm25"]\n'
        'options.bm25 = { k = 2 }\n[suites.b]\nlike = "a"\n'
    )
    with pytest.raises(ConfigError, match=wrong.partition("=")[0]):
        load_settings(config, [wrong])


@pytest.mark.parametrize("like", ["z", "b", "a"])
def test_a_suite_is_like_another_one(tmp_path, like):
    config = tmp_path / "bench.toml"
    config.write_text(f'default_suite = "a"\n[suites.a]\nlike = "b"\n[suites.b]\nlike = "{like}"\n')
    with pytest.raises(ConfigError, match="is like"):
        load_settings(config)
