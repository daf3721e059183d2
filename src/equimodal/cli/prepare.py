"""`equimodal prepare`: from media to a data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.options import Out, Quiet

_Size = Annotated[
    int | None, typer.Option(metavar="PIXELS", help="Height and width of pictures. Default: 64.", show_default=False)
]


def prepare(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A manifest (.csv, .jsonl, .parquet), a folder with one folder per class, the folder of a data set of "
            "Hugging Face, or a public data set by name (equimodal list benchmarks).",
        ),
    ],
    out: Out = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check that SOURCE, a prepared folder, is whole.")
    ] = False,
    on_error: Annotated[
        str,
        typer.Option(
            metavar="stop|missing|drop",
            help="What an unreadable file means: stop and list all, a missing modality, or a sample less.",
        ),
    ] = "stop",
    image_size: _Size = None,
    fit: Annotated[
        str | None,
        typer.Option(metavar="crop|pad|stretch", help="How pictures become square. Default: crop.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Frames of a video, at equal distances of time. Default: 4.", show_default=False)
    ] = None,
    frame_size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Height and width of frames. Default: 64.", show_default=False)
    ] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="spectrogram|picture|waveform", help="What sound becomes. Default: spectrogram.", show_default=False
        ),
    ] = None,
    sampling_rate: Annotated[
        int | None, typer.Option(metavar="HZ", help="Of sound. Default: 16000.", show_default=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Of sound, from its beginning. Default: 3.", show_default=False)
    ] = None,
    short: Annotated[
        str | None,
        typer.Option(
            metavar="own|tile",
            help="A shorter sound keeps its own length, or is repeated until it is full. Default: own.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(metavar="SAMPLES", help="Of the spectrogram. Default: 512.", show_default=False)
    ] = None,
    hop: Annotated[
        int | None, typer.Option(metavar="SAMPLES", help="From window to window. Default: 256.", show_default=False)
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text files. Default: utf-8.", show_default=False)] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="Larger pictures are refused. Default: 100 million.", show_default=False)
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Longer sounds and videos are refused. Default: 600.", show_default=False)
    ] = None,
    max_decode: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Of the clock, for one file; a decoder that takes longer is stopped. Default: 300.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of a public data set: the download. Of a manifest: the folder that paths are relative to.",
            show_default=False,
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="An option of the public data set's reader, for instance -s channel=both. Repeatable.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="A column of the manifest or data set to leave out. Repeatable.", show_default=False
        ),
    ] = None,
    video_sound: Annotated[
        bool, typer.Option("--video-sound", help="Of a folder per class: take audio out of the videos.")
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|none",
            help="Of a data set of Hugging Face: the classes. Default: label.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Of a data set of Hugging Face: what training and test must not share.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="Of a data set of Hugging Face: which, where it has several.", show_default=False),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=PART]|drawn",
            help="Of a data set of Hugging Face: a split to take, and what it becomes (train, validation, test); or "
            "drawn, to draw parts of all. Repeatable.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[:MEDIUM]",
            help="Of a data set of Hugging Face: a modality, in place of all that are found. Repeatable.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes. Default: one for each core.", min=1, show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Decode pictures, sounds, videos and texts, your own or a public data set's, into a data folder for --data.

    The same command continues after an interruption. See docs/data/media.md and docs/benchmarks.md.
    """
    from equimodal.errors import ConfigError
    from equimodal.media.options import settings_of
    from equimodal.preparation.huggingface.choice import Choice
    from equimodal.preparation.prepare import default_settings
    from equimodal.preparation.prepare import prepare as run
    from equimodal.preparation.record import check as check_folder
    from equimodal.preparation.summary import words_of

    if check:
        found = check_folder(source)
        print(f"{source}: whole, {len(found.files)} files, {found.rows} samples.")
        return
    if out is None:
        raise ConfigError("--out: is missing. Name the folder to make.")
    settings = settings_of(
        default_settings(source),
        image_size=image_size,
        fit=fit,
        frames=frames,
        frame_size=frame_size,
        audio=audio,
        sampling_rate=sampling_rate,
        seconds=seconds,
        short=short,
        window=window,
        hop=hop,
        encoding=encoding,
        max_pixels=max_pixels,
        max_seconds=max_seconds,
        max_decode=max_decode,
    )
    found = run(
        source,
        out,
        settings,
        root=root,
        options=options or (),
        ignore=ignore or (),
        video_sound=video_sound,
        choice=Choice(label, group, config, tuple(split or ()), tuple(column or ())),
        on_error=on_error,  # pyright: ignore[reportArgumentType]  # checked there
        workers=workers,
        quiet=quiet,
    )
    print(words_of(found, out))
    print(f"Next: equimodal data show {out}, and equimodal train --data {out}")
