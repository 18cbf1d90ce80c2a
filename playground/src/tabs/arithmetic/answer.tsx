/** The picture of an expression. */

import { useEffect, useState } from "preact/hooks";

import { ApiError } from "../../api/problem";
import type { ArithmeticFields, Images } from "../../api/types";
import { BlobImage } from "../../components/blob-image";
import { ErrorBox } from "../../components/error-box";
import { saveFile } from "../../components/download";
import { usePage } from "../../page";
import { blobOfBase64, pictureOf } from "../../state/pictures";
import { useLatest } from "../../state/use-latest";
import { answerFields, type ArithmeticState } from "./arithmetic-state";

export function Answer({ state }: { state: ArithmeticState }) {
  const page = usePage();
  const { t, service } = page;
  const [answer, setAnswer] = useState<{ images: Images; image: Blob; expression: string }>();
  const [failure, setFailure] = useState<unknown>();

  const requests = useLatest<ArithmeticFields, Images>(
    (fields, signal) => service.arithmetic(fields, signal),
    (images, { expression }) => {
      setFailure(undefined);
      setAnswer({ images, image: blobOfBase64(images.images[0]!), expression });
    },
    setFailure,
  );

  useEffect(() => {
    const fields = answerFields(state);
    if (fields) requests.request(fields);
  }, [state]);

  function take(): void {
    if (!answer) return;
    page.addPicture(pictureOf(answer.images, 0, { label: answer.expression }));
    page.announce(t("arithmetic.taken"));
  }

  const isProblem = failure instanceof ApiError;
  const alt = t("arithmetic.answerOf", { expression: answer?.expression ?? "" });
  return (
    <section class="stage answer" aria-label={t("arithmetic.answer")}>
      <BlobImage image={answer?.image} alt={alt} />
      {isProblem && <ErrorBox t={t} error={failure} />}
      <div class="row">
        <button type="button" class="primary" disabled={!answer} onClick={take}>
          {t("arithmetic.take")}
        </button>
        <button
          type="button"
          disabled={!answer}
          onClick={() => answer && saveFile(answer.image, "answer.png")}
        >
          {t("edit.download")}
        </button>
      </div>
    </section>
  );
}
