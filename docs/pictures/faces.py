"""Pictures of generated faces: the tour and the tutorials. None of these people exists."""

from docs.pictures.service import Service, save, sheet

WALL = (19, 24, 26, 16, 9, 18, 4, 34, 21, 36, 11, 29, 8, 35)
SMILING = (46, 54, 60, 67, 75, 80, 84, 94, 118, 124)
EARNEST = (41, 57, 63, 69, 70, 79, 117, 121, 129, 135)
PREVIEWED = 12
RECEIVER, GIVERS = 19, (34, 18, 10)
STEPS = 5
AVATARS = (1, 2, 3, 4, 5, 6, 7, 8)


def draw(service: Service) -> None:
    """Make them."""
    faces = [service.sample(seed) for seed in WALL]
    save(sheet([faces[:7], faces[7:]], 120), "samples.jpg")
    drawn = [service.images("/sample?model=avatars", json={"seed": s})[0] for s in AVATARS]
    save(sheet([drawn], 110), "avatars.jpg")
    _edits(service)
    _smile(service)


def _edits(service: Service) -> None:
    me = service.sample(RECEIVER)
    files = [("me", me)]
    weights = [service.arithmetic(f"me + {w}*glasses", files) for w in (1, 1.5)]
    save(sheet([[me, *weights]], 220), "first-edit.jpg")
    worn = [service.sample(seed) for seed in GIVERS]
    given = [
        service.arithmetic("me + 1.5*glasses(worn)", [*files, ("worn", giver)]) for giver in worn
    ]
    save(sheet([worn, given]), "frames.jpg")
    off = service.arithmetic("me - glasses", [("me", worn[2])])
    save(sheet([[worn[2], off]], 220), "off.jpg")
    grid = service.images(
        "/traverse",
        json={
            "operand": {"seed": 24},
            "along": "glasses",
            "across": "age",
            "steps": STEPS,
            "rows": 3,
        },
    )
    save(sheet([grid[i : i + STEPS] for i in range(0, len(grid), STEPS)], 130), "grid.jpg")
    path = service.images(
        "/interpolate", json={"start": {"seed": 19}, "end": {"seed": 21}, "steps": 8}
    )
    save(sheet([path], 110), "path.jpg")


def _smile(service: Service) -> None:
    rows = [[service.sample(seed) for seed in seeds] for seeds in (SMILING, EARNEST)]
    save(sheet(rows, 90), "smile-groups.jpg")
    groups = {"with": SMILING, "without": EARNEST}
    operands = {name: [{"seed": seed} for seed in seeds] for name, seeds in groups.items()}
    service.put_direction("smile", meaning="from a closed mouth to a smile", **operands)
    preview = service.images(
        "/traverse", json={"operand": {"seed": PREVIEWED}, "along": "smile", "steps": STEPS}
    )
    service.delete_direction("smile")
    save(sheet([preview], 150), "smile-preview.jpg")
