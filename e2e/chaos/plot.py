#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Draws hour.csv, which `e2e/chaos/run --churn=60` leaves: plot.py hour.csv >docs/churn.svg.

What the run came to is told on standard error.
"""

import csv
import sys

WIDTH, HEIGHT = 800, 220  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 40
INK, GRID, LINE = "#444", "#ddd", "#b36b00"


def read(path):
    with open(path, newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def resident(rows):
    return [(row["seconds"] / 60, row["resident_kib"] / 1024) for row in rows]


def requests(rows):
    """Per minute, of each whole one."""
    marks = [row for row in rows if row["seconds"] % 60 < 10]
    return [
        (
            after["seconds"] / 60,
            (after["requests"] - before["requests"]) * 60 / (after["seconds"] - before["seconds"]),
        )
        for before, after in zip(marks, marks[1:])
        if after["seconds"] - before["seconds"] > 30
    ]


def ceiling(value):
    """The next round number, in steps that quarter it."""
    unit = 1
    while True:
        for step in unit, 2 * unit, 5 * unit:
            if step * 4 >= value:
                return step * 4
        unit *= 10


def text(x, y, words, anchor="middle", size=12):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def rule(x1, y1, x2, y2):
    return f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" stroke="{GRID}"/>'


def panel(title, points, minutes, offset):
    """One curve over time, from zero, so that what looks flat is."""
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    most = ceiling(max(value for _, value in points))
    floor = offset + TOP + height
    parts = [text(LEFT, offset + TOP - 14, title, "start", 14)]
    for quarter in range(5):
        y = floor - height * quarter / 4
        parts.append(rule(LEFT, y, LEFT + width, y))
        parts.append(text(LEFT - 8, y + 4, f"{most * quarter / 4:g}", "end"))
    for minute in range(0, int(minutes) + 1, 10):
        x = LEFT + width * minute / minutes
        parts += [rule(x, floor - height, x, floor), text(x, floor + 18, f"{minute} min")]
    path = "L".join(
        f"{LEFT + width * minute / minutes:.1f} {floor - height * value / most:.1f}"
        for minute, value in points
    )
    parts.append(f'<path d="M{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>')
    return parts


def draw(rows):
    minutes = rows[-1]["seconds"] / 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {2 * HEIGHT}"'
        f' font-family="sans-serif" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{2 * HEIGHT}" fill="#fff"/>',
        *panel("operator: memory (RSS), MiB", resident(rows), minutes, 0),
        *panel("operator: requests to the API server per minute", requests(rows), minutes, HEIGHT),
        "</svg>",
    ]
    return "\n".join(lines)


def tell(rows):
    for minute in 0, 5, 30, 60:
        at = min(rows, key=lambda row: abs(row["seconds"] / 60 - minute))
        print(
            f"{at['seconds'] / 60:5.1f} min: {at['resident_kib'] / 1024:.1f} MiB,"
            f" {at['requests']:.0f} requests, {at['pods_replaced']:.0f} pods replaced,"
            f" {at['policies_edited']:.0f} policies edited",
            file=sys.stderr,
        )


def main():
    rows = read(sys.argv[1])
    print(draw(rows))
    tell(rows)


main()
