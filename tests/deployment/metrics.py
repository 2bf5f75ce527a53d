"""The metrics that the program has, and those that an expression in PromQL asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase

from adapters.discord import pulse
from adapters.slack import door
from bot import observe

_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}

FOREIGN = {
    "up": frozenset[str](),
    "ALERTS": frozenset({"alertname", "alertstate"}),
    "process_resident_memory_bytes": frozenset[str](),
}
"""What Prometheus itself and the client's process collector tell."""

SCRAPED = frozenset({"job", "instance"})
"""Labels that every scrape adds."""

FUNCTIONS = frozenset(
    "absent and avg bool by count group_left group_right histogram_quantile ignoring increase max min offset on or "
    "rate sum unless vector without".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an expression asks for: a metric, with the labels and values that stand beside it."""

    metric: str
    labels: frozenset[str]
    values: frozenset[str]


def exposed() -> dict[str, frozenset[str]]:
    """Name of every series that the program exposes -> its labels."""
    found: dict[str, frozenset[str]] = {}
    for metric in (*vars(observe).values(), *vars(pulse).values(), *vars(door).values()):
        if not isinstance(metric, MetricWrapperBase) or metric._labelvalues:
            continue
        (family,) = metric.describe()
        for suffix in _SUFFIXES[family.type]:
            labels = frozenset(metric._labelnames) | (frozenset({"le"}) if suffix == "_bucket" else frozenset())
            found[family.name + suffix] = labels
    return found


def asked(expression: str) -> Iterator[Asked]:
    """Every metric that an expression names; an identifier that is neither that nor a function counts as one."""
    plain = re.sub(r"\[[^\]]*\]", "", expression)  # how far back
    plain = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", plain)
    plain = re.sub(r"\b\d[\w.]*", "", plain)  # numbers and durations
    for match in re.finditer(r"(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<labels>[^}]*)\})?", plain):
        if match["name"] in FUNCTIONS and match["labels"] is None:
            continue
        matchers = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', match["labels"] or "")
        yield Asked(
            metric=match["name"],
            labels=frozenset(label for label, _ in matchers),
            values=frozenset(value for label, text in matchers if label not in SCRAPED for value in text.split("|")),
        )


def grouped(expression: str) -> frozenset[str]:
    """The labels by which an expression groups."""
    groups = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    return frozenset(label.strip() for group in groups for label in group.split(",") if label.strip())
