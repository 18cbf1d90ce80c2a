/** The picture at a position of a path, a slider to move it, play, and the strip of eight. */

import { useEffect, useState } from "preact/hooks";

import { BlobImage } from "../../components/blob-image";
import { Slider } from "../../components/slider";
import { usePage } from "../../page";
import type { PathFrames } from "../../state/path-frames";
import { FRAMES, STRIP_STRIDE } from "./morph-state";

const FRAMES_PER_SECOND = 20;
const LAST = FRAMES - 1;
const STRIP = Array.from({ length: 8 }, (_, i) => i * STRIP_STRIDE);

interface Props {
  frames: PathFrames | undefined;
  frame: number;
  onFrame: (frame: number) => void;
}

export function PathPlayer({ frames, frame, onFrame }: Props) {
  const { t, isShown } = usePage();
  const [playing, setPlaying] = useState(false);
  const shown = isShown("morph");

  useEffect(() => frames?.want(frame), [frames, frame]);

  // Forwards and backwards, beginning where it is.
  useEffect(() => {
    if (!playing || !shown) return;
    let phase = frame;
    const timer = setInterval(() => {
      phase = (phase + 1) % (2 * LAST);
      onFrame(phase <= LAST ? phase : 2 * LAST - phase);
    }, 1000 / FRAMES_PER_SECOND);
    return () => clearInterval(timer);
  }, [playing, shown]);

  function move(next: number): void {
    setPlaying(false);
    onFrame(next);
  }

  const percent = Math.round((100 * frame) / LAST);
  return (
    <div class="stage">
      <BlobImage image={frames?.nearest(frame)} alt={t("morph.picture", { percent })} />
      {frames && frames.decoded < frames.count && (
        <progress aria-label={t("morph.decoding")} max={frames.count} value={frames.decoded} />
      )}
      <div class="player">
        <button type="button" class="primary" onClick={() => setPlaying(!playing)}>
          {t(playing ? "morph.pause" : "morph.play")}
        </button>
        <Slider
          label={t("morph.position")}
          min={0}
          max={LAST}
          step={1}
          value={frame}
          format={(value) => `${Math.round((100 * value) / LAST)} %`}
          onInput={move}
        />
      </div>
      <ol class="strip" aria-label={t("morph.strip")}>
        {STRIP.map((index, i) => (
          <li key={index}>
            <button
              type="button"
              class="thumb"
              aria-label={t("morph.step", { number: i + 1, count: STRIP.length })}
              aria-pressed={index === frame}
              onClick={() => move(index)}
            >
              <BlobImage image={frames?.at(index)} alt="" class="strip-image" />
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}
