"""A timeline in Chrome's format, opened by Perfetto's own trace processor."""

from perfetto.trace_processor import TraceProcessor


class NoProcessor(Exception):
    """The package of the trace processor could not get its binary."""


def look(path):
    """Names of slices, number of arrows, and the errors that the processor counted."""
    try:
        processor = TraceProcessor(trace=str(path))
    except Exception as error:
        raise NoProcessor(f"{type(error).__name__}") from error
    with processor:
        slices = [row.name for row in processor.query("select name from slice order by ts")]
        arrows = [row.count for row in processor.query("select count(*) as count from flow")][0]
        wrong = "select name from stats where severity = 'error' and value > 0"
        errors = [row.name for row in processor.query(wrong)]
        tracks = {row.name for row in processor.query("select name from thread where name is not null")}
    return slices, arrows, errors, tracks
