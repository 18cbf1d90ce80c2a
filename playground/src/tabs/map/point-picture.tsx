/** What is decoded at the cross: a sample, or the latent of a point of the plane. */

import { useEffect, useState } from "preact/hooks";

import type { Images, Latent } from "../../api/types";
import { BlobImage } from "../../components/blob-image";
import { Slider } from "../../components/slider";
import { usePage } from "../../page";
import { blobOfBase64, pictureOf } from "../../state/pictures";
import { latentAt, type Point } from "../../state/plane";
import { useLatest } from "../../state/use-latest";
import type { MapData } from "./map-data";
import { EXTENT } from "./scatter";

interface Props {
  data: MapData;
  cross: { point: Point; sample: number | undefined };
  onPoint: (point: Point) => void;
}

interface Shown {
  images: Images;
  image: Blob;
  seed: number | undefined;
}

export function PointPicture({ data, cross, onPoint }: Props) {
  const page = usePage();
  const { t, service } = page;
  const [shown, setShown] = useState<Shown>();

  const requests = useLatest<{ latent: Latent; seed: number | undefined }, Images>(
    ({ latent }, signal) => service.decodeEach({ latents: [latent] }, signal),
    (images, { seed }) => setShown({ images, image: blobOfBase64(images.images[0]!), seed }),
    page.report,
  );

  useEffect(() => {
    const { point, sample } = cross;
    const latent = sample === undefined ? latentAt(data.plane, point) : data.latents[sample]!;
    requests.request({ latent, seed: sample === undefined ? undefined : data.seeds[sample] });
  }, [data, cross]);

  function take(): void {
    if (!shown) return;
    const [x, y] = cross.point.map((value) => value.toFixed(2));
    const about = shown.seed === undefined ? { label: `(${x}, ${y})` } : { seed: shown.seed };
    const picture = pictureOf(shown.images, 0, about);
    page.addPicture(picture);
    page.announce(t("map.taken", { name: page.nameOf(picture) }));
  }

  const [x, y] = cross.point;
  const seed = shown?.seed;
  const text = seed === undefined ? t("map.decode") : t("map.decodeOf", { seed });
  return (
    <div class="controls">
      <figure class="point">
        <BlobImage image={shown?.image} alt={text} />
        <figcaption class="hint">{text}</figcaption>
      </figure>
      <Slider
        label={t("map.x")}
        min={-EXTENT}
        max={EXTENT}
        step={0.05}
        rest={0}
        value={x}
        onInput={(value) => onPoint([value, y])}
      />
      <Slider
        label={t("map.y")}
        min={-EXTENT}
        max={EXTENT}
        step={0.05}
        rest={0}
        value={y}
        onInput={(value) => onPoint([x, value])}
      />
      <div>
        <button type="button" disabled={!shown} onClick={take}>
          {t("map.take")}
        </button>
      </div>
    </div>
  );
}
