/** The picture of the mean latent of a group. */

import { useEffect, useState } from "preact/hooks";

import { BlobImage } from "../../components/blob-image";
import { usePage } from "../../page";
import { blobOfBase64 } from "../../state/pictures";
import { useLatest } from "../../state/use-latest";
import { meanFields, type Group } from "./arithmetic-state";

/** The mean of a group; of one picture it is that picture. */
export function useMean(group: Group): Blob | undefined {
  const { service, report } = usePage();
  const [mean, setMean] = useState<Blob>();
  const requests = useLatest<Group, Blob>(
    async (wanted, signal) => {
      const { images } = await service.arithmetic(meanFields(wanted), signal);
      return blobOfBase64(images[0]!);
    },
    setMean,
    report,
  );
  useEffect(() => {
    const [only, ...others] = group.pictures;
    requests.cancel();
    if (!only || others.length === 0) setMean(only?.file);
    else requests.request(group);
  }, [group.pictures]);
  return mean;
}

export function GroupMean({ group }: { group: Group }) {
  const { t } = usePage();
  const mean = useMean(group);
  return (
    <figure class="mean">
      <BlobImage
        image={mean}
        alt={t("arithmetic.meanOf", { name: group.name })}
        class="mean-image"
      />
      <figcaption>{t("arithmetic.mean")}</figcaption>
    </figure>
  );
}
