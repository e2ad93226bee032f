"""What the border exports, read the way Prometheus reads it."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

SampleKey = tuple[str, frozenset[tuple[str, str]]]


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        """Parse the text exposition format; what Prometheus would refuse fails here."""
        self.types: dict[str, str] = {}
        self._samples: dict[SampleKey, float] = {}
        for family in text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                if key in self._samples:
                    raise AssertionError(f"the sample stands twice: {sample.name} {sample.labels}")
                self._samples[key] = sample.value

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Sum the samples of *name* that carry all of *labels*; 0 when there is none."""
        wanted = frozenset((labels or {}).items())
        return sum(value for (found, held), value in self._samples.items() if found == name and wanted <= held)

    def names(self) -> set[str]:
        """Return the names of all samples."""
        return {name for name, _ in self._samples}

    def lines(self, name: str) -> list[str]:
        """Return the samples of *name* in words, for the text of a failure."""
        return [
            f"{dict(sorted(labels))} {value:g}" for (found, labels), value in self._samples.items() if found == name
        ]


def increase(before: Metrics, after: Metrics, name: str, /, **labels: str) -> float:
    """Return by how much the sum of the matching samples grew."""
    return after.value(name, labels) - before.value(name, labels)
