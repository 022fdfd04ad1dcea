"""Drawings of the animals of the procedural pack. Each function draws one class on a canvas."""

from cavmae_sync.stage.canvas import Canvas


def draw_bird(c: Canvas) -> None:
    """A bird that looks to the right."""
    c.line([(0.42, 0.8), (0.38, 1.0)], "ink", width=0.04)
    c.line([(0.55, 0.8), (0.55, 1.0)], "ink", width=0.04)
    c.polygon([(0.3, 0.5), (0.0, 0.3), (0.02, 0.62), (0.3, 0.72)], "dark")
    c.ellipse((0.12, 0.36, 0.74, 0.88), "body")
    c.ellipse((0.5, 0.1, 0.88, 0.5), "body")
    c.polygon([(0.85, 0.24), (1.0, 0.33), (0.85, 0.4)], "wood")
    c.pie((0.2, 0.38, 0.62, 0.8), "light", degrees=(10, 190))
    c.eye(0.7, 0.26)


def draw_frog(c: Canvas) -> None:
    """A sitting frog seen from the front."""
    c.ellipse((0.0, 0.6, 0.36, 0.98), "body")
    c.ellipse((0.64, 0.6, 1.0, 0.98), "body")
    c.ellipse((0.12, 0.22, 0.88, 0.94), "body")
    c.ellipse((0.16, 0.06, 0.42, 0.34), "body")
    c.ellipse((0.58, 0.06, 0.84, 0.34), "body")
    c.eye(0.29, 0.19, radius=0.09)
    c.eye(0.71, 0.19, radius=0.09)
    c.ellipse((0.3, 0.66, 0.7, 0.94), "light")
    c.arc((0.24, 0.3, 0.76, 0.6), "ink", degrees=(15, 165), width=0.035)


def draw_bee(c: Canvas) -> None:
    """A bee with two pairs of wings."""
    for left, right in ((0.2, 0.5), (0.44, 0.74)):
        c.ellipse((left, 0.02, right, 0.5), "white")
        c.ellipse((left + 0.06, 0.1, right - 0.06, 0.44), "light")
    c.polygon([(0.08, 0.58), (0.0, 0.64), (0.08, 0.7)], "ink")
    c.ellipse((0.05, 0.36, 0.76, 0.92), "body")
    c.ellipse((0.62, 0.4, 0.98, 0.82), "dark")
    c.line([(0.86, 0.42), (0.96, 0.26)], "ink", width=0.03)
    c.eye(0.84, 0.56)


def draw_cat(c: Canvas) -> None:
    """The head of a cat."""
    c.polygon([(0.06, 0.02), (0.08, 0.5), (0.46, 0.22)], "body")
    c.polygon([(0.94, 0.02), (0.92, 0.5), (0.54, 0.22)], "body")
    c.ellipse((0.04, 0.18, 0.96, 0.94), "body")
    c.ellipse((0.3, 0.56, 0.7, 0.86), "white")
    c.polygon([(0.43, 0.58), (0.57, 0.58), (0.5, 0.66)], "ink")
    c.line([(0.5, 0.66), (0.5, 0.76)], "ink", width=0.025)
    for side in (-1, 1):
        c.eye(0.5 + side * 0.2, 0.45, radius=0.09)
        c.line([(0.5 + side * 0.22, 0.68), (0.5 + side * 0.48, 0.62)], "ink", width=0.018)
        c.line([(0.5 + side * 0.22, 0.74), (0.5 + side * 0.48, 0.78)], "ink", width=0.018)


def draw_dog(c: Canvas) -> None:
    """A standing dog seen from the side."""
    c.line([(0.1, 0.5), (0.0, 0.24)], "body", width=0.08)
    for x in (0.14, 0.28, 0.54, 0.68):
        c.box((x, 0.6, x + 0.11, 1.0), "body", radius=0.04)
    c.box((0.08, 0.4, 0.8, 0.76), "body", radius=0.16)
    c.box((0.58, 0.1, 0.9, 0.52), "body", radius=0.12)
    c.box((0.76, 0.26, 1.0, 0.48), "light", radius=0.06)
    c.ellipse((0.92, 0.24, 1.0, 0.34), "ink")
    c.ellipse((0.56, 0.08, 0.7, 0.46), "dark")
    c.eye(0.79, 0.22, radius=0.045)


def draw_owl(c: Canvas) -> None:
    """An owl seen from the front."""
    c.polygon([(0.14, 0.0), (0.2, 0.3), (0.44, 0.14)], "dark")
    c.polygon([(0.86, 0.0), (0.8, 0.3), (0.56, 0.14)], "dark")
    c.ellipse((0.12, 0.08, 0.88, 0.98), "body")
    c.ellipse((0.02, 0.4, 0.28, 0.88), "dark")
    c.ellipse((0.72, 0.4, 0.98, 0.88), "dark")
    for x in (0.32, 0.68):
        c.ellipse((x - 0.18, 0.16, x + 0.18, 0.52), "white")
        c.ellipse((x - 0.09, 0.25, x + 0.09, 0.43), "ink")
    c.polygon([(0.43, 0.44), (0.57, 0.44), (0.5, 0.6)], "wood")


def draw_fish(c: Canvas) -> None:
    """A fish that swims to the right, with bubbles."""
    c.polygon([(0.26, 0.56), (0.0, 0.28), (0.04, 0.86)], "dark")
    c.polygon([(0.34, 0.38), (0.52, 0.12), (0.68, 0.4)], "dark")
    c.ellipse((0.14, 0.28, 0.9, 0.86), "body")
    c.eye(0.72, 0.5, radius=0.07)
    c.arc((0.7, 0.58, 0.92, 0.74), "ink", degrees=(60, 170), width=0.03)
    for x, y, radius in ((0.93, 0.3, 0.05), (0.86, 0.14, 0.06), (0.95, 0.04, 0.04)):
        c.ellipse((x - radius, y - radius, x + radius, y + radius), "white")


def draw_snake(c: Canvas) -> None:
    """A coiled snake with a raised head."""
    c.ellipse((0.02, 0.72, 0.98, 1.0), "body")
    c.ellipse((0.1, 0.54, 0.9, 0.84), "dark")
    c.ellipse((0.12, 0.52, 0.88, 0.78), "body")
    c.line([(0.5, 0.62), (0.34, 0.46), (0.58, 0.3), (0.5, 0.14)], "body", width=0.17)
    c.ellipse((0.4, 0.0, 0.82, 0.26), "body")
    c.line([(0.8, 0.15), (0.98, 0.2)], "ink", width=0.025)
    c.eye(0.64, 0.09, radius=0.05)
    c.line([(0.86, 0.86), (0.96, 0.56)], "wood", width=0.08)
