"""Drawings of the instruments, machines and weather of the procedural pack. One function for each class."""

import itertools
import math

from cavmae_sync.stage.canvas import Canvas


def draw_bell(c: Canvas) -> None:
    """A hanging bell."""
    c.ellipse((0.4, 0.0, 0.6, 0.2), "metal")
    c.ellipse((0.4, 0.82, 0.6, 1.0), "ink")
    c.pie((0.2, 0.1, 0.8, 0.8), "body", degrees=(180, 360))
    c.polygon([(0.2, 0.44), (0.8, 0.44), (0.98, 0.84), (0.02, 0.84)], "body")
    c.box((0.0, 0.8, 1.0, 0.9), "dark", radius=0.04)


def draw_drum(c: Canvas) -> None:
    """A drum with two sticks."""
    c.box((0.08, 0.4, 0.92, 0.84), "body")
    c.ellipse((0.08, 0.7, 0.92, 0.98), "body")
    c.ellipse((0.08, 0.26, 0.92, 0.56), "white")
    c.arc((0.08, 0.26, 0.92, 0.56), "dark", degrees=(0, 360), width=0.04)
    c.line([(0.05, 0.06), (0.44, 0.36)], "wood", width=0.06)
    c.line([(0.95, 0.06), (0.56, 0.36)], "wood", width=0.06)


def draw_guitar(c: Canvas) -> None:
    """A guitar with its neck upwards."""
    c.box((0.44, 0.0, 0.56, 0.56), "wood")
    c.box((0.4, 0.0, 0.6, 0.12), "ink", radius=0.02)
    c.ellipse((0.26, 0.38, 0.74, 0.74), "body")
    c.ellipse((0.16, 0.54, 0.84, 1.0), "body")
    c.ellipse((0.38, 0.56, 0.62, 0.78), "ink")
    for x in (0.46, 0.5, 0.54):
        c.line([(x, 0.04), (x, 0.9)], "white", width=0.01)
    c.box((0.34, 0.86, 0.66, 0.92), "ink")


def draw_trumpet(c: Canvas) -> None:
    """A trumpet with its bell to the right."""
    c.line([(0.04, 0.42), (0.7, 0.42)], "body", width=0.09)
    c.polygon([(0.62, 0.38), (0.86, 0.24), (0.98, 0.1), (0.98, 0.74), (0.86, 0.6), (0.62, 0.46)], "body")
    c.arc((0.2, 0.42, 0.68, 0.78), "body", degrees=(-100, 280), width=0.08)
    for x in (0.34, 0.44, 0.54):
        c.box((x - 0.035, 0.22, x + 0.035, 0.7), "metal", radius=0.02)
    c.box((0.0, 0.34, 0.06, 0.5), "metal", radius=0.02)


def draw_flute(c: Canvas) -> None:
    """A set of upright pipes of falling length."""
    for number in range(5):
        x = 0.02 + 0.2 * number
        c.box((x, 0.02, x + 0.17, 0.96 - 0.13 * number), "body", radius=0.06)
        c.ellipse((x + 0.03, 0.02, x + 0.14, 0.1), "ink")
    c.box((0.0, 0.2, 1.0, 0.3), "wood", radius=0.02)


def draw_xylophone(c: Canvas) -> None:
    """Bars of falling length on two rails, with a mallet."""
    c.line([(0.04, 0.34), (0.96, 0.44)], "wood", width=0.07)
    c.line([(0.04, 0.86), (0.96, 0.72)], "wood", width=0.07)
    for number in range(5):
        x, inset = 0.03 + 0.19 * number, 0.045 * number
        c.box((x, 0.2 + inset, x + 0.16, 1.0 - inset), "body", radius=0.03)
    c.line([(0.5, 0.02), (0.86, 0.28)], "ink", width=0.035)
    c.ellipse((0.4, 0.0, 0.54, 0.12), "white")


def draw_clock(c: Canvas) -> None:
    """A round clock."""
    c.ellipse((0.0, 0.0, 1.0, 1.0), "body")
    c.ellipse((0.15, 0.15, 0.85, 0.85), "white")
    for hour in range(12):
        x, y = math.cos(hour * math.pi / 6), math.sin(hour * math.pi / 6)
        c.line([(0.5 + 0.28 * x, 0.5 + 0.28 * y), (0.5 + 0.32 * x, 0.5 + 0.32 * y)], "ink", width=0.03)
    c.line([(0.5, 0.5), (0.5, 0.26)], "ink", width=0.05)
    c.line([(0.5, 0.5), (0.68, 0.6)], "ink", width=0.05)


def draw_siren(c: Canvas) -> None:
    """A warning light with rays."""
    for angle in (200, 235, 270, 305, 340):
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        c.line([(0.5 + 0.36 * x, 0.5 + 0.36 * y), (0.5 + 0.48 * x, 0.5 + 0.48 * y)], "light", width=0.06)
    c.pie((0.2, 0.2, 0.8, 0.9), "body", degrees=(180, 360))
    c.box((0.2, 0.52, 0.8, 0.8), "body")
    c.box((0.08, 0.78, 0.92, 1.0), "ink", radius=0.05)
    c.ellipse((0.38, 0.4, 0.62, 0.7), "white")


def draw_car(c: Canvas) -> None:
    """A car seen from the side."""
    c.polygon([(0.18, 0.5), (0.32, 0.22), (0.68, 0.22), (0.84, 0.5)], "body")
    c.polygon([(0.27, 0.48), (0.36, 0.29), (0.48, 0.29), (0.48, 0.48)], "white")
    c.polygon([(0.54, 0.48), (0.54, 0.29), (0.65, 0.29), (0.74, 0.48)], "white")
    c.box((0.0, 0.46, 1.0, 0.76), "body", radius=0.1)
    for x in (0.24, 0.76):
        c.ellipse((x - 0.14, 0.6, x + 0.14, 0.88), "ink")
        c.ellipse((x - 0.06, 0.68, x + 0.06, 0.8), "metal")


def draw_train(c: Canvas) -> None:
    """A steam locomotive that drives to the right."""
    c.box((0.04, 0.14, 0.42, 0.74), "body", radius=0.03)
    c.box((0.12, 0.24, 0.34, 0.44), "white")
    c.box((0.36, 0.4, 0.94, 0.74), "body", radius=0.1)
    c.polygon([(0.7, 0.42), (0.66, 0.1), (0.88, 0.1), (0.84, 0.42)], "ink")
    c.polygon([(0.88, 0.7), (1.0, 0.9), (0.8, 0.9)], "metal")
    for x, radius in ((0.2, 0.15), (0.52, 0.12), (0.76, 0.12)):
        c.ellipse((x - radius, 0.98 - 2 * radius, x + radius, 0.98), "ink")
        c.ellipse((x - 0.05, 0.93 - radius, x + 0.05, 1.03 - radius), "metal")


def draw_turbine(c: Canvas) -> None:
    """A wind turbine with three blades."""
    c.polygon([(0.46, 0.4), (0.54, 0.4), (0.6, 1.0), (0.4, 1.0)], "metal")
    for angle in (-90, 30, 150):
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        tip, near = (0.5 + 0.46 * x, 0.42 + 0.46 * y), (0.5 + 0.18 * x, 0.42 + 0.18 * y)
        c.polygon(
            [
                (0.5, 0.42),
                (near[0] - 0.14 * y, near[1] + 0.14 * x),
                tip,
                (near[0] + 0.08 * y, near[1] - 0.08 * x),
            ],
            "body",
        )
    c.ellipse((0.42, 0.34, 0.58, 0.5), "ink")


def draw_robot(c: Canvas) -> None:
    """A robot with an antenna."""
    c.line([(0.5, 0.16), (0.5, 0.04)], "metal", width=0.04)
    c.ellipse((0.44, 0.0, 0.56, 0.1), "light")
    c.box((0.0, 0.54, 0.18, 0.86), "metal", radius=0.05)
    c.box((0.82, 0.54, 1.0, 0.86), "metal", radius=0.05)
    c.box((0.22, 0.14, 0.78, 0.5), "body", radius=0.06)
    c.box((0.16, 0.52, 0.84, 1.0), "body", radius=0.04)
    c.box((0.28, 0.22, 0.46, 0.36), "white")
    c.box((0.54, 0.22, 0.72, 0.36), "white")
    c.box((0.34, 0.26, 0.42, 0.34), "ink")
    c.box((0.6, 0.26, 0.68, 0.34), "ink")
    c.box((0.32, 0.41, 0.68, 0.46), "ink")


def draw_telephone(c: Canvas) -> None:
    """An old telephone with a dial."""
    c.polygon([(0.26, 0.3), (0.74, 0.3), (0.94, 0.96), (0.06, 0.96)], "body")
    c.ellipse((0.3, 0.46, 0.7, 0.86), "white")
    c.ellipse((0.43, 0.59, 0.57, 0.73), "ink")
    c.box((0.02, 0.06, 0.98, 0.24), "dark", radius=0.09)
    c.box((0.0, 0.1, 0.24, 0.42), "dark", radius=0.08)
    c.box((0.76, 0.1, 1.0, 0.42), "dark", radius=0.08)


def draw_kettle(c: Canvas) -> None:
    """A kettle with a spout."""
    c.arc((0.2, 0.0, 0.74, 0.66), "ink", degrees=(180, 360), width=0.07)
    c.polygon([(0.66, 0.76), (1.0, 0.36), (0.9, 0.3), (0.62, 0.52)], "dark")
    c.ellipse((0.06, 0.28, 0.82, 1.0), "body")
    c.box((0.14, 0.88, 0.74, 1.0), "metal", radius=0.03)
    c.ellipse((0.38, 0.2, 0.5, 0.34), "ink")


def draw_saw(c: Canvas) -> None:
    """A hand saw with its grip to the left."""
    c.polygon([(0.26, 0.3), (1.0, 0.44), (1.0, 0.56), (0.26, 0.72)], "metal")
    teeth = [(0.28 + 0.09 * n, 0.69 - 0.02 * n) for n in range(9)]
    for (x, y), (next_x, next_y) in itertools.pairwise(teeth):
        c.polygon([(x, y), (next_x, next_y), ((x + next_x) / 2, y + 0.12)], "metal")
    c.box((0.0, 0.2, 0.36, 0.84), "body", radius=0.12)
    c.box((0.1, 0.4, 0.24, 0.66), "ink", radius=0.06)


def draw_hammer(c: Canvas) -> None:
    """A hammer with its head upwards."""
    c.box((0.42, 0.24, 0.58, 1.0), "wood", radius=0.04)
    c.box((0.3, 0.04, 0.98, 0.38), "body", radius=0.04)
    c.polygon([(0.32, 0.08), (0.02, 0.2), (0.02, 0.28), (0.32, 0.34)], "body")
    c.box((0.86, 0.0, 1.0, 0.42), "metal", radius=0.03)


def draw_ball(c: Canvas) -> None:
    """A ball with a highlight."""
    c.ellipse((0.02, 0.02, 0.98, 0.98), "body")
    c.pie((0.02, 0.02, 0.98, 0.98), "light", degrees=(200, 250))
    c.pie((0.02, 0.02, 0.98, 0.98), "light", degrees=(20, 70))
    c.ellipse((0.4, 0.4, 0.6, 0.6), "white")


def draw_cloud(c: Canvas) -> None:
    """A rain cloud with drops."""
    for x, y in ((0.2, 0.72), (0.42, 0.8), (0.62, 0.72), (0.82, 0.8)):
        c.line([(x, y), (x - 0.06, y + 0.18)], "light", width=0.05)
    c.ellipse((0.0, 0.26, 0.44, 0.68), "body")
    c.ellipse((0.22, 0.04, 0.72, 0.56), "body")
    c.ellipse((0.5, 0.2, 1.0, 0.68), "body")
    c.box((0.16, 0.46, 0.84, 0.68), "body", radius=0.08)


def draw_fire(c: Canvas) -> None:
    """Flames over two logs."""
    c.polygon(
        [(0.12, 0.8), (0.04, 0.5), (0.22, 0.56), (0.3, 0.2), (0.46, 0.4), (0.56, 0.0), (0.74, 0.4),
         (0.84, 0.26), (0.96, 0.56), (0.88, 0.8)],
        "body",
    )  # fmt: skip
    c.polygon([(0.32, 0.8), (0.38, 0.56), (0.46, 0.64), (0.54, 0.4), (0.66, 0.62), (0.68, 0.8)], "light")
    c.line([(0.08, 0.94), (0.92, 0.78)], "wood", width=0.11)
    c.line([(0.08, 0.78), (0.92, 0.94)], "wood", width=0.11)


def draw_ufo(c: Canvas) -> None:
    """A flying saucer."""
    c.ellipse((0.26, 0.14, 0.74, 0.72), "white")
    c.ellipse((0.36, 0.24, 0.52, 0.46), "light")
    c.ellipse((0.0, 0.42, 1.0, 0.82), "body")
    for x in (0.14, 0.38, 0.62, 0.86):
        c.ellipse((x - 0.05, 0.6, x + 0.05, 0.7), "white")
    c.polygon([(0.36, 0.8), (0.64, 0.8), (0.54, 0.92), (0.46, 0.92)], "metal")
