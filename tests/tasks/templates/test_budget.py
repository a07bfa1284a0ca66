"""Who gives way in a prompt that is too long: budgets worked out by hand on a tiny tokenizer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import Behavior, Example
from tasks.lamp import LaMP4
from tasks.query_read import count_query
from tests.tasks.small_bpe import SmallBPE

BPE = SmallBPE()


class Short(LaMP4):
    """LaMP-4's form in few tokens: items `"title"="text"`, inputs `q: text`."""

    instruction = lead = "q:"
    marker = "q:"
    item_template = '"{response}"="{content}"'
    ending = " . "


def asked(content):
    return Example("1", "1", f"q: {content}", content, content, ())


def items(*contents, title="t"):
    return [Behavior(str(n), text, text, title) for n, text in enumerate(contents)]


def prompt(content, behaviors, limit, rule):
    return Short().personalized_prompt(asked(content), behaviors, BPE, limit, rule)


def cut(content, behaviors, limit, rule):
    text = prompt(content, behaviors, limit, rule)
    assert BPE.count(text) <= limit
    return count_query(Short(), asked(content), text, BPE)


# "q: abcdefgh" has 3 + 4 = 7 tokens; an item 6 without content ('"t"=""'), 7 with a blank in it;
# " , and " takes 6 where two are set aside, and " . " 3 where one is.
QUERY = "abcdefgh"
LONG = "x" * 40  # 20 tokens


def test_the_items_pay_for_joints_that_take_more_than_their_allowance():
    # Limit 50, 7 for the input, 1 reserved: (42 - 2) // 2 = 20 an item, 20 - 7 = 13 of content.
    # As assembled: 2 · (6 + 13) + 6 + 3 + 7 = 54, four more than 50: not the query's to lose.
    # With 38: (38 - 2) // 2 = 18, so 11 of content each: 2 · (6 + 11) + 16 = 50.
    found = prompt(QUERY, items(LONG, LONG), 50, "lamp")
    item = f'"t"="{"x" * 22}"'
    assert found == f"{item} , and {item} . q: {QUERY}"
    assert BPE.count(found) == 50


def test_lamp_lets_the_input_keep_three_fifths():
    # The input has 3 + 40 = 43 tokens and may keep .6 · 50 = 30: it loses the 13 at its end.
    content = "yz" * 40
    assert cut(content, items(LONG), 50, "lamp") == (40, 13)
    # Query-first leaves 50 - 43 - 1 = 6 tokens, where no item fits: the plain input, nothing cut.
    assert prompt(content, items(LONG), 50, "query-first") == f"q: {content}"


def test_lamp_lets_titles_take_the_querys_room_and_query_first_does_not():
    content, behaviors = "yz" * 20, items("x", title="t" * 60)  # title: 30 tokens, input: 23
    # Item with a blank for its content: 36. Limit 50: at .6 and .5 there are 50 - 23 - 1 = 26, at
    # .4 and .3 29 and 34, at .2 39, which is enough. As assembled: 36 + 3 + 23 = 62.
    assert cut(content, behaviors, 50, "lamp") == (20, 12)
    assert prompt(content, behaviors, 50, "query-first") == f"q: {content}"


def test_query_first_shares_what_the_query_leaves():
    # Limit 60, input 3 + 30 = 33: 60 - 33 - 1 = 26 for one item, 26 - 7 = 19 of content; as
    # assembled 6 + 19 + 3 + 33 = 61, so 18.
    content = "yz" * 30
    found = prompt(content, items(LONG), 60, "query-first")
    assert found == f'"t"="{"x" * 36}" . q: {content}'
    assert BPE.count(found) == 60


@pytest.mark.parametrize("rule", ["lamp", "query-first"])
def test_only_an_input_that_exceeds_the_budget_alone_loses_its_end(rule):
    content = "yz" * 60  # 63 tokens with "q: "
    assert cut(content, [], 63, rule) == (60, 0)
    assert cut(content, items(LONG), 50, "query-first") == (60, 13)


@settings(deadline=None, derandomize=True)
@given(
    content=st.text("abc ,.", max_size=80),
    contents=st.lists(st.text("xyz ,", max_size=60), min_size=1, max_size=5),
    title=st.text("t ", max_size=12),
    limit=st.integers(1, 90),
)
def test_no_query_loses_more_than_its_rule_demands(content, contents, title, limit):
    example, behaviors = asked(f"a{content}z"), items(*contents, title=title)
    length = BPE.count(example.input)
    for rule in ("lamp", "query-first"):
        text = Short().personalized_prompt(example, behaviors, BPE, limit, rule)
        assert BPE.count(text) <= limit
        _, lost = count_query(Short(), example, text, BPE)
        if length <= limit and (rule == "query-first" or text.startswith("q:")):
            assert lost == 0
