"""The page of an analysis."""

from __future__ import annotations

from pathlib import Path

from equimodal._version import __version__
from equimodal.analyses.figures import analysis_charts, overall_charts
from equimodal.analyses.findings import Findings
from equimodal.display.html import write_page
from equimodal.files import safe_name


def write_analysis_page(findings: Findings, path: Path) -> Path:
    """Write an analysis as one HTML page beside the folders of its settings: sentences, tables, figures of each.

    Args:
        findings: what the analysis found.
        path: the file; its folder is made if it does not exist.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    return write_page(
        path,
        __package__ or "",
        "analysis",
        title=findings.analysis.title,
        findings=findings,
        overall=[whole.table(title=recipe) for recipe, whole in findings.overall().items()],
        overall_charts=overall_charts(findings),
        sections=list(zip(findings.parts(), analysis_charts(findings), strict=True)),
        places={label: safe_name(label) for label in findings.settings},
        provenance={
            "command": findings.command or "from Python",
            **({"not part of it": "; ".join(findings.passed_over)} if findings.passed_over else {}),
            "equimodal": __version__,
        },
    )
