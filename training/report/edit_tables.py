"""The tables of a model card about edits of photographs and of carried frames."""

from collections.abc import Mapping

from training.report.markdown import table

CARRIED_COLUMNS = {
    "closer_to_giver": ("Closer to the giver's", "{:.1%}"),
    "closer_to_photograph": ("Closer to the giver's photograph", "{:.1%}"),
    "sex_unchanged": ("Sex unchanged", "{:.1%}"),
    "outside_eyes_psnr_db": ("Outside the eyes", "{:.1f} dB"),
}
PRESERVED_COLUMNS = {
    "put_on": ("Put on", "{:.1%}"),
    "taken_off": ("Taken off", "{:.1%}"),
    "sex_changed_on": ("Sex changed, put on", "{:.1%}"),
    "sex_changed_off": ("Sex changed, taken off", "{:.1%}"),
    "sex_errors_on": ("Sex errors added, put on", "{:.1%}"),
    "sex_errors_off": ("Sex errors added, taken off", "{:.1%}"),
    "untouched": ("Pixels untouched", "{:.0%}"),
    "restored_inside_db": ("Restored, inside", "{:.1f} dB"),
    "restored_outside_db": ("Restored, outside", "{:.1f} dB"),
    "edges_left": ("Edges left", "{:.2f}"),
}
Scores = Mapping[str, Mapping[str, float]]  # by weight


def carried_edits(by_weight: Scores, title: str) -> list[str]:
    """Frames that are carried from one face to another."""
    first = next(iter(by_weight.values()))
    columns = {key: column for key, column in CARRIED_COLUMNS.items() if key in first}
    rows = [
        [weight, *(form.format(scores[key]) for key, (_, form) in columns.items())]
        for weight, scores in by_weight.items()
    ]
    return [
        "",
        f"## {title}",
        "",
        "Test faces in `receiver + w*glasses(giver)`. What is carried is the change of the eyes' "
        "pixels from `receiver + w*glasses`. *Closer to the giver's* is the fraction of "
        "comparisons in which it is closer to the frame of its giver than to that of another giver "
        "(50% by chance), where a frame is the photograph minus the decode of `giver - glasses`; "
        "*closer to the giver's photograph* compares with the photographs as they are. *Sex "
        "unchanged* is the fraction whose predicted sex is that of the receiver's reconstruction, "
        "*outside the eyes* the PSNR to that reconstruction there.",
        *table(["weight", *(column for column, _ in columns.values())], rows),
    ]


def preserved_edits(by_weight: Scores, title: str) -> list[str]:
    """Photographs whose glasses are put on or taken off."""
    rows = [
        [weight, *(form.format(scores[key]) for key, (_, form) in PRESERVED_COLUMNS.items())]
        for weight, scores in by_weight.items()
    ]
    return [
        "",
        f"## {title}",
        "",
        "Test photographs with `preserve` 1, judged by the classifier of the edits. *Put on* is "
        "of bare faces with `photograph + w*glasses`, *taken off* of faces with glasses with "
        "`photograph - w*glasses`. *Sex changed* is the fraction of which another sex is "
        "predicted than of the photograph, *sex errors added* the fraction of which another sex "
        "is predicted than labelled, less that of the photographs. *Pixels untouched* are equal "
        "to the photograph's to the last bit. *Restored* compares bare photographs with what is "
        "left after glasses were put on and taken off again, inside and outside the masks (60 dB "
        "at most). *Edges left* is the mean gradient around the eyes after glasses were taken "
        "off, over that of bare photographs.",
        *table(["weight", *(column for column, _ in PRESERVED_COLUMNS.values())], rows),
    ]
