/** The decoded plane: positions at equal quantiles of the normal distribution on both axes. */

import { useState } from "preact/hooks";

import { BlobImage } from "../../components/blob-image";
import { usePage } from "../../page";
import { latentAt, normalQuantiles, type Plane } from "../../state/plane";

/** Rows and columns; 64 images are the most that one request makes. */
const SIDE = 8;
const TILE_PIXELS = 128;

export function PlaneGrid({ plane }: { plane: Plane }) {
  const { t, service, report } = usePage();
  const [grid, setGrid] = useState<Blob>();
  const [busy, setBusy] = useState(false);

  async function decode(): Promise<void> {
    setBusy(true);
    try {
      const quantiles = normalQuantiles(SIDE);
      const rows = [...quantiles].reverse(); // the second axis goes up
      const latents = rows.flatMap((y) => quantiles.map((x) => latentAt(plane, [x, y])));
      setGrid(await service.decode({ latents, size: TILE_PIXELS }));
    } catch (error) {
      report(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <section class="plane" aria-label={t("map.grid")}>
      <h3>{t("map.grid")}</h3>
      <p class="hint">{t("map.gridNote")}</p>
      {grid ? (
        <BlobImage image={grid} alt={t("map.gridNote")} />
      ) : (
        <div>
          <button type="button" disabled={busy} onClick={() => void decode()}>
            {busy && <span class="spinner" aria-hidden="true" />}
            {t("map.showGrid")}
          </button>
        </div>
      )}
    </section>
  );
}
