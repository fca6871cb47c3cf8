"""The compiled template of the page is kept, and never believed where it may be wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from backfill.report import html
from backfill.report.compiled import CompiledTemplate


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a template and the module that makes its environment."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "page.j2").write_text("Hello {{ name }}")
    (tmp_path / "page.py").write_text("# settings")
    return tmp_path


def environment(folder: Path, **settings: Any) -> Environment:
    kept = CompiledTemplate(folder / "page.j2", folder / "page.py")
    return Environment(
        loader=FileSystemLoader(folder), bytecode_cache=kept, autoescape=True, **settings
    )


def page(folder: Path) -> str:
    return environment(folder).get_template("page.j2").render(name="<Ada>")


def compiles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the page is compiled once more."""
    done = []
    compile_it = Environment.compile

    def noted(self: Environment, *args: Any, **more: Any) -> Any:
        done.append(args)
        return compile_it(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "compile", noted)
        assert page(folder) == (folder / "page.j2").read_text().replace("{{ name }}", "&lt;Ada&gt;")
    return bool(done)


def test_it_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiles(folder, monkeypatch)
    assert not compiles(folder, monkeypatch)
    assert [path.name for path in (folder / "__pycache__").iterdir()] == [
        f"page.{sys.implementation.cache_tag}.pyc"
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "page.j2").write_text("Good day {{ name }}"),
        lambda folder: (folder / "page.py").write_text("# other settings"),
        lambda folder: [path.write_bytes(b"") for path in (folder / "__pycache__").iterdir()],
        lambda folder: [
            path.write_bytes(path.read_bytes()[:-20]) for path in (folder / "__pycache__").iterdir()
        ],
        lambda folder: [
            path.write_bytes(path.read_bytes()[:20]) for path in (folder / "__pycache__").iterdir()
        ],
    ],
    ids=["another template", "another environment", "empty", "cut off", "cut off early"],
)
def test_what_is_stale_or_damaged_is_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    page(folder)
    change(folder)
    assert compiles(folder, monkeypatch)
    assert not compiles(folder, monkeypatch)


def test_where_nothing_may_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where Python itself must not, nor where the folder cannot be."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        assert compiles(folder, patch)
        assert not (folder / "__pycache__").exists()
    (folder / "__pycache__").write_text("a file where the folder should be")
    assert compiles(folder, monkeypatch)


def test_nothing_of_one_job_is_compiled_in() -> None:
    """Jinja works out at once what is constant; no filter, such as that of the currency, may be
    called for it."""

    def called(*_: object) -> str:
        raise AssertionError("a filter was called while the template was compiled")

    made = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=True, finalize=called)
    ours = ("count", "money", "amount", "short", "duration", "delimiter", "unused")
    made.filters.update(dict.fromkeys(ours, called))
    source = (Path(html.__file__).parent / "template.html.j2").read_text(encoding="utf-8")
    made.compile(source)
