"""The report in a real browser: sorting, filtering, opening, keyboard, width, accessibility."""

from tests.bench.report_project import ATTACK, ODD, USERS

SCORES = "#scores tbody tr"
LIST = "#list > li"


def first_cells(page, selector=SCORES):
    """The method's name in each row, without its marks."""
    return [
        row.split("\n")[0].split("\t")[0].strip()
        for row in page.locator(selector).all_inner_texts()
    ]


def names(page):
    known = ["blind", "wrong", "right", "reads", ODD]
    return [next(name for name in known if cell.startswith(name)) for cell in first_cells(page)]


def test_nothing_that_a_user_wrote_runs(page):
    page.locator(".open").first.click()
    assert ATTACK in page.locator(".detail .text").first.inner_text()
    assert page.locator("img").count() == 0
    assert page.evaluate("window.attacked") is None


def test_headings_sort_and_sort_again(page):
    assert names(page) == ["wrong", "right", "reads", ODD, "blind"]
    heading = page.locator("#scores thead button").nth(1)  # mae: lower is better, so it comes first
    heading.click()
    assert names(page)[-1] == "wrong"
    assert page.locator("#scores th").nth(1).get_attribute("aria-sort") == "ascending"
    heading.press("Enter")
    assert names(page)[0] == "wrong"
    page.locator("#scores thead button").first.click()
    assert names(page)[0] in (ODD, "blind")


def test_examples_are_filtered_by_user_disagreement_failure_and_text(page):
    everything = 2 * USERS
    assert page.locator("#count").text_content().startswith(f"{everything} of {everything}")
    page.fill("[name=user]", "user 3 <i>")
    assert page.locator(LIST).count() == 2
    page.click("[type=reset]")
    page.select_option("[name=show]", "failed")
    page.wait_for_function("document.querySelectorAll('#list > li').length === 2")
    page.select_option("[name=show]", "differ")
    assert page.locator(LIST).count() == everything
    page.select_option("[name=first]", label="wrong")
    page.select_option("[name=second]", label="right")
    assert page.locator(LIST).count() == 0
    page.select_option("[name=first]", label="right")
    page.select_option("[name=second]", label="wrong")
    assert page.locator(LIST).count() == everything
    page.fill("[name=text]", "REVIEW Q7")
    assert page.locator(LIST).count() == 1


def test_an_example_opens_by_keyboard_and_shows_history_and_answers(page):
    page.fill("[name=text]", "review q")
    page.locator(".open").nth(6).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    detail = page.locator(".detail")
    said = detail.inner_text()
    for part in ("Review q7", "wrote item 2.", "reads 75.0%", "reads 1st", "newest"):
        assert part in said
    assert page.locator(".open").nth(7).get_attribute("aria-expanded") == "true"
    page.keyboard.press("Enter")
    assert detail.count() == 0


def test_views_change_and_methods_are_highlighted(page):
    pareto = page.locator("#pareto")
    assert pareto.locator(".view:visible").get_attribute("data-view") == "1"
    pareto.get_by_label("prompt tokens a query").check()
    assert pareto.locator(".view:visible").get_attribute("data-view") == "2"
    key = pareto.locator(".legend button").nth(1)
    key.click()
    marks = pareto.locator(".view:visible svg [data-series]")
    shown = marks.evaluate_all("all => all.map((one) => getComputedStyle(one).opacity)")
    assert sorted(set(shown)) == ["0.12", "1"]
    assert key.get_attribute("aria-pressed") == "true"


def test_the_theme_can_be_chosen(page):
    page.click("#theme")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(18, 22, 28)")


def test_the_page_is_as_wide_as_the_window(page):
    page.locator(".open").first.click()
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_axe_finds_nothing_serious(page, axe):
    page.locator(".open").first.click()
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    grave = [
        (one["id"], one["impact"], [node["html"][:120] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert grave == []


def test_every_link_of_the_navigation_jumps_to_its_section(page):
    bar = page.locator("nav").bounding_box()["height"]
    for link in page.locator("nav a").all():
        page.evaluate("scrollTo(0, 0)")
        link.click()
        section = page.locator(link.get_attribute("href"))
        page.wait_for_timeout(100)
        top = section.bounding_box()["y"]
        last = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
        assert 0 <= top < 2 * bar or last
