"""What mkdocs does beyond the pages in docs/: pages from elsewhere in the repository, the
gallery's programs, and a check that the built site loads nothing from a network.
"""

import ast
import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "results/README.md", "results/reference/**/tables.md",
           "results/reference/**/*.svg")  # fmt: skip
"""Files of the repository outside docs/ that are part of the site, under the same paths."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)]*)?(?=\))")
LINKED_TEXT = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?![a-z]+:|#)(?P<path>[^)#\s]+)[^)]*\)")
REMOTE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc(?:set)?=["']?(?:https?:)?//"""
    r"""|<link[^>]*\shref=["']?(?:https?:)?//|@import\s+["']?https?://|url\(["']?https?://"""
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/."""
    for pattern in OUTSIDE:
        for path in sorted(REPOSITORY.glob(pattern)):
            uri = path.relative_to(REPOSITORY).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def list_programs() -> str:
    """Every example as a section: its title, what it does, and its code."""
    parts = []
    for path in sorted((DOCS / "examples").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        title, _, rest = (ast.get_docstring(tree) or path.stem).partition("\n")
        code = "\n".join(source.splitlines()[tree.body[0].end_lineno or 0 :]).strip()
        parts += [
            f"## {title.partition(':')[0].rstrip('.')}",
            rest.strip(),
            f"```python\n{code}\n```",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Links as the repository has them → links within the site; the gallery gets its programs.

    A link to a file that is no part of the site (bench.toml, LICENSE) becomes plain text.
    """
    here = page.file.src_uri
    folder = posixpath.dirname(f"docs/{here}" if (DOCS / here).exists() else here)

    def resolve(path: str) -> str:
        found = posixpath.normpath(posixpath.join(folder, path))
        return found.removeprefix("docs/")

    def unlink(match: re.Match[str]) -> str:
        path = match["path"]
        missing = files.get_file_from_path(resolve(path)) is None
        outside = (REPOSITORY / folder / path).exists()
        return match["text"] if missing and outside else match[0]

    def relink(match: re.Match[str]) -> str:
        new = posixpath.relpath(resolve(match["path"]), posixpath.dirname(here) or ".")
        return new + (match["anchor"] or "")

    if here == "gallery.md":
        markdown += f"\n{list_programs()}"
    return LINK.sub(relink, LINKED_TEXT.sub(unlink, markdown))


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a built page or style would load something from a network."""
    for folder, _, names in os.walk(config.site_dir):
        for name in names:
            path = Path(folder, name)
            if path.suffix in {".html", ".css"} and (
                found := REMOTE.search(path.read_text(encoding="utf-8"))
            ):
                raise PluginError(f"{path}: loads {found[0]!r} from a network")
