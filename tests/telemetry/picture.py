"""Traces as a picture of text: a tree of spans with a bar for each."""

NAMES = 44
BARS = 46


def picture(spans):
    """All traces, in the order of their beginnings, on one axis of time."""
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    by_id = {span.id: span for span in spans}
    width = max(end - begin, 1)
    lines = [f"{'':{NAMES}}{'0 s':<{BARS - 8}}{width / 1e9:>7.1f} s"]
    for root in sorted((span for span in spans if span.parent not in by_id), key=lambda span: span.start):
        draw(root, "", "", spans, by_id, begin, width, lines)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def draw(span, lead, below, spans, by_id, begin, width, lines):
    first = (span.start - begin) * BARS // width
    last = max((span.end - begin) * BARS // width, first + 1)
    bar = " " * min(first, BARS - 1) + ("█" * (last - first) if span.end > span.start else "│")
    links = ", ".join(by_id[link].name.removeprefix("execute_tool ") for _, link in span.links if link in by_id)
    name = lead + span.name + ("" if not links else f" ← {links}")
    if len(name) > NAMES - 1:
        lines.append(name)
        name = ""
    lines.append(f"{name:<{NAMES}}{bar[:BARS]:<{BARS}} {duration(span)}")
    inner = sorted((child for child in spans if child.parent == span.id), key=lambda child: (child.start, child.name))
    for place, child in enumerate(inner):
        is_last = place == len(inner) - 1
        draw(child, below + ("└ " if is_last else "├ "), below + ("  " if is_last else "│ "), spans, by_id, begin, width, lines)


def duration(span):
    millis = span.millis()
    return f"{millis / 1e3:.2f} s" if millis >= 1_000 else f"{millis:.0f} ms"
