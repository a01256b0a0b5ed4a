"""The same rules written plainly, one box at a time: the second implementation that the fast one must equal."""

from __future__ import annotations

import math


def plain_sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def plain_iou(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (area - shared)


def plain_suppressed(rows, iou: float, most: int):
    """``rows``: (score, class, box), best first."""
    kept = []
    for row in rows:
        if all(k[1] != row[1] or plain_iou(k[2], row[2]) <= iou for k in kept):
            kept.append(row)
    return kept[:most]


def plain_cells(strides, size, offset):
    for s in strides:
        for y in range(size[0] // s):
            for x in range(size[1] // s):
                yield (x + offset) * s, (y + offset) * s, s


def plain_grid(boxes, scores, strides, size):
    rows = []
    for (cx, cy, s), (left, t, r, b), logits in zip(plain_cells(strides, size, 0.5), boxes, scores, strict=True):
        for label, value in enumerate(logits):
            rows.append((plain_sigmoid(value), label, (cx - left * s, cy - t * s, cx + r * s, cy + b * s)))
    return rows


def plain_yolo(table, head):
    """Rows of one image's [A, 4 (+ 1) + C]."""
    rows = []
    cells = [(0, 0, 1)] * len(table) if head.decoded else list(plain_cells(head.strides, head.size, 0))
    for (px, py, s), numbers in zip(cells, table, strict=True):
        a, b, c, d = map(float, numbers[:4])
        if not head.decoded:
            a, b, c, d = px + a * s, py + b * s, math.exp(c) * s, math.exp(d) * s
        if head.boxes == "cxcywh" or not head.decoded:
            a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
        if head.normalized and head.decoded:
            a, b, c, d = a * head.size[1], b * head.size[0], c * head.size[1], d * head.size[0]
        share = plain_sigmoid if head.scores == "logit" else float
        for label, value in enumerate(numbers[5 if head.objectness else 4 :]):
            score = share(float(value)) * (share(float(numbers[4])) if head.objectness else 1)
            rows.append((score, label, (a, b, c, d)))
    return rows


def plain_detr(logits, boxes, size, activation):
    rows = []
    for values, (cx, cy, w, h) in zip(logits, boxes, strict=True):
        box = ((cx - w / 2) * size[1], (cy - h / 2) * size[0], (cx + w / 2) * size[1], (cy + h / 2) * size[0])
        if activation == "sigmoid":
            rows += [(plain_sigmoid(v), label, box) for label, v in enumerate(values)]
            continue
        total = sum(math.exp(v) for v in values)
        shares = [math.exp(v) / total for v in values][:-1]
        label = max(range(len(shares)), key=shares.__getitem__)
        rows.append((shares[label], label, box))
    return rows
