"""Results of a report as Markdown for a model card."""

from collections.abc import Iterator, Mapping
from typing import Any

from cavmae_sync.errors import ConfigError
from cavmae_sync.tasks.report import Value

_HEAD = "| metric | value | 95 % interval | chance |\n|---|---:|---:|---:|"


def results_markdown(content: Mapping[str, Any], *, weights: str) -> str:
    """Tables of one report, or of several by name (those of `--with-controls`).

    Args:
        content: Result of `Report.to_dict`, or several of them by name.
        weights: Fingerprint of the weights of the card. Reports of other weights are refused, unless one of
            several is of these: the controls of a report have other weights.

    Raises:
        ConfigError: The content is not a report, or no report in it is of these weights.
    """
    reports = list(_reports(content, ()))
    if not reports:
        raise ConfigError("The file is not a report. Give the output of an evaluate command with --json.")
    if weights not in {report.get("weights") for _, report in reports}:
        found = ", ".join(sorted({str(report.get("weights"))[:12] for _, report in reports}))
        raise ConfigError(
            f"The report is of other weights ({found}) than these ({weights[:12]}). Evaluate these weights, "
            "and give that report."
        )
    return "\n\n".join(_section(names, report) for names, report in reports)


def _reports(content: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content.get("metrics"), Mapping):
        yield names, content
        return
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _reports(value, (*names, str(name)))


def _section(names: tuple[str, ...], report: Mapping[str, Any]) -> str:
    title = ": ".join((str(report.get("name", "report")), *names)).replace("_", " ")
    try:
        values = {name: Value(**fields) for name, fields in report["metrics"].items()}
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"A metric of the report {title!r} is damaged ({error}). Evaluate again."
        ) from error
    rows = (
        f"| {name.replace('_', ' ')} | {value.text()} | {value.interval_text()} | {value.chance_text()} |"
        for name, value in values.items()
    )
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report["counts"].items())
    basis = f"{counts}; clip list `{report['clip_list']}`, weights `{report['weights'][:12]}`."
    return "\n".join([f"### {title}", "", _HEAD, *rows, "", basis])
