"""A report as one self-contained HTML page: no request leaves it, and the same contents give the same bytes.

Names that come from a store reach the page in three ways only: through Jinja's escaping, through the
JSON block (escaped here, read with ``textContent``), and from there into Plotly with ``<`` and ``&``
escaped. The Content-Security-Policy lets nothing run but the two scripts whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from effdsl.installing import how_to_install
from effdsl_analysis.questions.claims.verdicts import Verdict
from effdsl_analysis.report.heat import TIERS
from effdsl_analysis.text import words
from effdsl_analysis.vocabulary import Evidence, Severity

if TYPE_CHECKING:
    from markupsafe import Markup

    from effdsl_analysis.report.gather import Contents

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}"
)
"""Plotly adds style rules as it draws, and saves pictures through data: and blob: addresses."""

INSTALL = f"`effdsl report` needs plotly and Jinja2: {how_to_install('plotly')}"


class MissingPackage(ImportError):
    """A package that only reports need is not installed; the message says how to get it."""


def html_page(contents: Contents) -> str:
    """The page.

    Raises:
        MissingPackage: plotly or Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingPackage(INSTALL) from error
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    scripts = [_plotly(), _asset("charts.js") + _asset("report.js")]
    return environment.get_template("page.html.j2").render(
        contents=contents,
        printed=next((part for part in contents.parts if part.evidence is Evidence.PUBLISHED), None),
        studies=[part for part in contents.parts if part.evidence is Evidence.MEASURED],
        verdicts=list(Verdict),
        severities=list(Severity),
        tiers=TIERS,
        policy=POLICY.format(scripts=" ".join(_hash(script) for script in scripts)),
        style=Markup(_asset("report.css")),  # noqa: S704 - a file of the package
        data=_data(contents),
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - files of packages
    )


def _data(contents: Contents) -> Markup:
    from markupsafe import Markup

    document = {
        "panels": {id_: judged.to_json() for id_, judged in contents.panels.items()},
        "curves": contents.curves,
    }
    return Markup(script_json(document))  # noqa: S704 - escaped by script_json


def script_json(document: object) -> str:
    """JSON that cannot end the script element it stands in; all but ASCII is escaped too."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _printable(value: Any) -> Any:
    """Control characters and lone surrogates are replaced before Jinja escapes the rest."""
    return words(value).plain if type(value) is str else value


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Plotly's script as its Python package carries it; the rest of that package is not used."""
    try:
        script = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    except ImportError as error:
        raise MissingPackage(INSTALL) from error
    return script.replace("\r\n", "\n").replace("</script", "<\\/script")
