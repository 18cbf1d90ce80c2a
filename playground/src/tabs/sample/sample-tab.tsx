/** The tab Sample: a wall of faces by seed, of which some can be taken along. */

import { useEffect, useState } from "preact/hooks";

import { Slider } from "../../components/slider";
import { usePage, type TabProps } from "../../page";
import { pictureOf, type Picture } from "../../state/pictures";
import { useLatest } from "../../state/use-latest";
import { COUNTS, readSample, writeSample, type SampleState } from "./sample-state";

/** Seeds that the button for other faces draws from; small ones are easy to tell others. */
const SEEDS = 100_000;
const PRIORS = ["fitted", "standard"] as const;

export function SampleTab({ params }: TabProps) {
  const page = usePage();
  const { t, service } = page;
  const shown = page.isShown("sample");
  const [state, setState] = useState(() => readSample(params));
  const [wall, setWall] = useState<readonly Picture[]>([]);
  const [busy, setBusy] = useState(true);

  const requests = useLatest<SampleState, readonly Picture[]>(
    async (wanted, signal) => {
      const { seed, count, temperature, prior } = wanted;
      const images = await service.sample({ seed, n: count, temperature, prior }, signal);
      const isPlain = temperature === 1 && prior === "fitted";
      const sampling = isPlain ? {} : { sampling: { temperature, prior } };
      return images.seeds.map((each, i) => pictureOf(images, i, { seed: each, ...sampling }));
    },
    (pictures, _, isNewest) => {
      setWall(pictures);
      setBusy(!isNewest);
    },
    (error) => {
      setBusy(false);
      page.report(error);
    },
  );

  useEffect(() => {
    setBusy(true);
    requests.request(state);
  }, [state]);
  useEffect(() => page.writeParams("sample", writeSample(state)), [state, shown]);

  const takenAs = (picture: Picture) => page.pictures.find((other) => isSameSample(other, picture));

  function toggle(picture: Picture): void {
    const taken = takenAs(picture);
    if (taken) page.removePicture(taken);
    else page.addPicture(picture);
    const name = page.nameOf(picture);
    page.announce(t(taken ? "sample.removed" : "sample.taken", { name }));
  }

  const change = (part: Partial<SampleState>) => setState((before) => ({ ...before, ...part }));

  return (
    <>
      <h2 class="visually-hidden">{t("sample.title")}</h2>
      <div class="options">
        <label class="field">
          {t("sample.seed")}
          <input
            type="number"
            min="0"
            step="1"
            value={state.seed}
            onChange={(event) => {
              const seed = event.currentTarget.valueAsNumber;
              if (Number.isSafeInteger(seed) && seed >= 0) change({ seed });
            }}
          />
        </label>
        <label class="field">
          {t("sample.count")}
          <select
            value={state.count}
            onChange={(event) => change({ count: Number(event.currentTarget.value) })}
          >
            {COUNTS.map((count) => (
              <option key={count}>{count}</option>
            ))}
          </select>
        </label>
        <label class="field">
          {t("sample.prior")}
          <select
            value={state.prior}
            onChange={(event) =>
              change({ prior: event.currentTarget.value as SampleState["prior"] })
            }
          >
            {PRIORS.map((prior) => (
              <option key={prior} value={prior}>
                {t(`sample.${prior}`)}
              </option>
            ))}
          </select>
        </label>
        <div class="wide">
          <Slider
            label={t("sample.temperature")}
            hint={t("sample.temperatureHint")}
            min={0}
            max={2}
            step={0.05}
            value={state.temperature}
            onInput={(temperature) => change({ temperature })}
          />
        </div>
      </div>
      <div class="row">
        <button
          type="button"
          disabled={state.seed === 0}
          onClick={() => change({ seed: Math.max(0, state.seed - state.count) })}
        >
          {t("sample.previous")}
        </button>
        <button type="button" onClick={() => change({ seed: state.seed + state.count })}>
          {t("sample.next")}
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => change({ seed: Math.floor(Math.random() * SEEDS) })}
        >
          {t("sample.random")}
        </button>
        <span class="status" role="status">
          {busy && (
            <>
              <span class="spinner" aria-hidden="true" /> {t("sample.sampling")}
            </>
          )}
        </span>
      </div>
      <p class="hint">{t("sample.hint")}</p>
      <ul class="wall" aria-label={t("sample.wall")} aria-busy={busy}>
        {wall.map((picture) => (
          <li key={picture.seed}>
            <button
              type="button"
              class="tile"
              aria-label={page.nameOf(picture)}
              aria-pressed={takenAs(picture) !== undefined}
              onClick={() => toggle(picture)}
            >
              <img src={picture.url} alt="" />
              <span class="tile-label" aria-hidden="true">
                {picture.seed}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function isSameSample(a: Picture, b: Picture): boolean {
  return (
    a.seed === b.seed &&
    a.sampling?.temperature === b.sampling?.temperature &&
    a.sampling?.prior === b.sampling?.prior
  );
}
