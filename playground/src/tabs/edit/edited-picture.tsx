/** A picture before and after its edit, which is requested again whenever the state changes. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Divider } from "../../components/divider";
import { usePage } from "../../page";
import type { Picture } from "../../state/pictures";
import { useImageUrl } from "../../state/use-image-url";
import { useLatest } from "../../state/use-latest";
import { cropFields, type EditState } from "./edit-state";

/** Name of the measurement from a slider's move to its picture, as of the User Timing API. */
const MEASURE = "slider-to-picture";

interface Input {
  picture: Picture;
  state: EditState;
  /** When the slider moved, as of `performance.now()`. */
  moved: number;
}

export function EditedPicture({ picture, state }: { picture: Picture; state: EditState }) {
  const { t, service, report, nameOf } = usePage();
  const [after, setAfter] = useImageUrl();
  const [busy, setBusy] = useState(false);
  const moved = useRef<number | undefined>(undefined);

  const requests = useLatest<Input, Blob>(
    (input, signal) =>
      service.arithmeticOfFiles(cropFields(input.picture, input.state), "png", signal),
    (image, input, isNewest) => {
      moved.current = input.moved;
      setAfter(image);
      setBusy(!isNewest);
    },
    (error) => {
      setBusy(false);
      report(error);
    },
  );

  useEffect(() => {
    requests.cancel();
    setAfter(undefined);
  }, [picture]);

  useEffect(() => {
    setBusy(true);
    requests.request({ picture, state, moved: performance.now() });
  }, [picture, state]);

  function measure(): void {
    if (moved.current === undefined) return;
    performance.measure(MEASURE, { start: moved.current, end: performance.now() });
    moved.current = undefined;
  }

  const name = nameOf(picture);
  return (
    <Divider
      before={picture.url}
      after={after}
      beforeLabel={t("edit.before")}
      afterLabel={t("edit.after")}
      beforeAlt={t("edit.pictureBefore", { name })}
      afterAlt={t("edit.pictureAfter", { name })}
      dividerLabel={t("edit.divider")}
      busy={busy}
      onShown={measure}
    />
  );
}
