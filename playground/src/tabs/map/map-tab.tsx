/** The tab Map: samples on a plane of the latent space, and what is decoded at a point of it. */

import { useEffect, useState } from "preact/hooks";

import { usePage, type TabProps } from "../../page";
import { numberParam } from "../../state/location";
import type { Point } from "../../state/plane";
import { Legend } from "./legend";
import { isFlat, loadMap, type MapData } from "./map-data";
import { PlaneGrid } from "./plane-grid";
import { PointPicture } from "./point-picture";
import { EXTENT, Scatter } from "./scatter";

const LIMITS = [-EXTENT, EXTENT] as const;

interface Cross {
  point: Point;
  /** Index of the sample that it is on, if it is on one. */
  sample: number | undefined;
}

export function MapTab({ params }: TabProps) {
  const page = usePage();
  const { t, service, model } = page;
  const shown = page.isShown("map");
  const labels = model.labels.filter((label) => model.directions.includes(label));
  const [data, setData] = useState<MapData>();
  const [color, setColor] = useState(() => {
    const asked = params.get("color");
    return asked && labels.includes(asked) ? asked : labels[0];
  });
  const [cross, setCross] = useState<Cross>(() => ({
    point: [numberParam(params, "x", 0, LIMITS), numberParam(params, "y", 0, LIMITS)],
    sample: undefined,
  }));

  useEffect(() => {
    const controller = new AbortController();
    loadMap(service, model, labels, controller.signal).then(setData, page.report);
    return () => controller.abort();
  }, [model]);

  useEffect(() => {
    const [x, y] = cross.point;
    const written = new URLSearchParams({ x: x.toFixed(2), y: y.toFixed(2) });
    if (color) written.set("color", color);
    page.writeParams("map", written);
  }, [cross, color, shown]);

  if (!data) {
    return (
      <p class="status" role="status">
        <span class="spinner" aria-hidden="true" /> {t("map.loading")}
      </p>
    );
  }
  return (
    <>
      <h2 class="visually-hidden">{t("map.title")}</h2>
      <p class="hint">{t(isFlat(model) ? "map.noteFlat" : "map.note")}</p>
      <Legend labels={labels} chosen={color} onChoose={setColor} />
      <div class="workbench map">
        <Scatter
          points={data.points}
          values={color === undefined ? undefined : data.along[color]}
          cross={cross.point}
          label={t("map.chart")}
          onCross={(point, sample) => setCross({ point, sample })}
        />
        <PointPicture
          data={data}
          cross={cross}
          onPoint={(point) => setCross({ point, sample: undefined })}
        />
      </div>
      <PlaneGrid plane={data.plane} />
    </>
  );
}
