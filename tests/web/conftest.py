"""A headless Chromium, and the page of a known suite in it; skipped with the reason without them."""

import shutil
from pathlib import Path

import pytest

from tests.bench.report_project import make_report_project

REPOSITORY = Path(__file__).parents[2]
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, or the one that playwright installed."""
    library = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'pplug-bench[web]'"
    )
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with library.sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("needs a browser: apt-get install chromium, or playwright install chromium")
        options = {"executable_path": found, "args": ["--no-sandbox"]}
        started = playwright.chromium.launch(**options)
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory, browser):
    """The page's path."""
    from bench.report.build import write_report

    project = make_report_project(tmp_path_factory.mktemp("web") / "project")
    project.run()
    out = project.root / "report.html"
    write_report(project.load(), project.plan(), out)
    return out


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desktop", "phone"])
def page(request, browser, report):
    """The page, once wide and light, once narrow and dark; fails on anything in the console."""
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    opened = context.new_page()
    problems = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "request", lambda asked: problems.append(asked.url) if "file:" not in asked.url else 0
    )
    opened.goto(report.as_uri())
    yield opened
    context.close()
    assert problems == []


@pytest.fixture
def axe():
    """The source of axe-core."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --no-save axe-core")
    return AXE.read_text(encoding="utf-8")
