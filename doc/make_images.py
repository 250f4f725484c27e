"""Draw the pictures of the documentation again: ``python3 doc/make_images.py [NAME...]``.

Runs the scripts of the gallery (all, or those named) into ``images/gallery`` and reduces their pictures to 256
colours. The top of a report is photographed by a headless Chromium where there is one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def slim(path: Path) -> None:
    """Reduce a PNG to 256 colours."""
    from PIL import Image

    with Image.open(path) as picture:
        # Median cut, which is the default, has no colour to spare for the few pixels that are red.
        wide = Image.Quantize.MAXCOVERAGE
        small = picture.convert("RGB").quantize(256, method=wide, kmeans=3, dither=Image.Dither.NONE)
    small.save(path, compress_level=9)


def gallery(names: list[str]) -> None:
    """Run scripts of the gallery."""
    folder = IMAGES / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for script in sorted((HERE / "gallery").glob("*.py")):
        if script.name.startswith("_") or (names and script.stem not in names):
            continue
        print(script.stem, flush=True)
        for old in folder.glob(f"{script.stem}*"):
            old.unlink()
        subprocess.run([sys.executable, str(script), str(folder)], check=True)
        for picture in folder.glob(f"{script.stem}*.png"):
            slim(picture)


def report() -> None:
    """Photograph the top of a report."""
    from pyfai_gridcal import calibrate
    from pyfai_gridcal.judging.validation import validate
    from pyfai_gridcal.report import write_report
    from pyfai_gridcal.synthetic import demo_scene

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no Chromium: the picture of the report is left as it is")
        return
    scene = demo_scene()
    c = calibrate(scene.render(np.random.default_rng(5), bounds=False).image, pitch=scene.plate.pitch_m)
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(c, Path(folder) / "report.html", validation=validate(c))
        subprocess.run(
            [
                *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--window-size=1280,2250", f"--screenshot={IMAGES / 'report.png'}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )
    slim(IMAGES / "report.png")


def main(names: list[str]) -> None:
    if names != ["report"]:
        gallery([name for name in names if name != "report"])
    if not names or "report" in names:
        report()
    total = sum(p.stat().st_size for p in IMAGES.rglob("*") if p.is_file())
    print(f"{total / 1e6:.2f} MB of images")


if __name__ == "__main__":
    main(sys.argv[1:])
