/** The pictures at hand, and the ways to add one: sampled faces, files, the camera, drop and paste. */

import { useEffect, useRef, useState } from "preact/hooks";

import { usePage } from "../page";
import { alignsFaces, cropPicture, findFaces, type Intake, type Picture } from "../state/pictures";
import { Camera, hasCamera } from "./camera";
import { FaceChoice } from "./face-choice";
import { useIncomingFiles } from "./incoming-files";

interface Props {
  /** What choosing a picture does, for its label. */
  labelOf: (picture: Picture) => string;
  onChoose: (picture: Picture) => void;
  isChosen: (picture: Picture) => boolean;
  shown: boolean;
}

export function Shelf({ labelOf, onChoose, isChosen, shown }: Props) {
  const page = usePage();
  const { t, service, model } = page;
  const [status, setStatus] = useState("");
  const [intake, setIntake] = useState<Intake>();
  const [cameraOpen, setCameraOpen] = useState(false);
  const hovering = useIncomingFiles(shown, (file) => void receive(file));

  useEffect(() => () => intake && URL.revokeObjectURL(intake.url), [intake]);

  async function receive(file: File): Promise<void> {
    page.report(undefined);
    setIntake(undefined);
    // Some systems do not know the type of HEIC; the service tells by the bytes.
    if (file.type && !file.type.startsWith("image/")) {
      page.report(new Error(t("intake.notImage")));
      return;
    }
    if (!alignsFaces(model)) return crop(file, undefined);
    setStatus(t("intake.finding"));
    try {
      const found = await findFaces(service, file);
      setIntake(found);
      if (found.faces.length > 0) await crop(file, 1);
      else setStatus("");
    } catch (error) {
      setStatus("");
      page.report(error);
    }
  }

  async function crop(file: File, face: number | undefined): Promise<void> {
    setStatus(t("intake.encoding"));
    try {
      const picture = await cropPicture(service, { file, face });
      page.addPicture(picture);
      onChoose(picture);
      page.announce(t("intake.ready", { name: page.nameOf(picture) }));
    } catch (error) {
      page.report(error);
    } finally {
      setStatus("");
    }
  }

  function chooseFace(number: number): void {
    if (!intake) return;
    const isSame = ({ source }: Picture) => source?.file === intake.file && source.face === number;
    const known = page.pictures.find(isSame);
    if (known) onChoose(known);
    else void crop(intake.file, number);
  }

  return (
    <section class="shelf" aria-label={t("shelf.title")}>
      <div class="intake">
        <label class="button primary file">
          {t("intake.photo")}
          <input
            type="file"
            accept="image/*,.heic,.heif"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) void receive(file);
              event.currentTarget.value = "";
            }}
          />
        </label>
        {hasCamera() && (
          <button type="button" onClick={() => setCameraOpen(true)}>
            {t("intake.camera")}
          </button>
        )}
        <span class="hint drop-hint">{t("intake.hint")}</span>
      </div>
      <ul class="thumbs">
        {page.pictures.length === 0 && (
          <li class="status" role="status">
            <span class="spinner" aria-hidden="true" /> {t("shelf.loading")}
          </li>
        )}
        {page.pictures.map((picture) => (
          <Thumb
            key={picture.id}
            picture={picture}
            label={labelOf(picture)}
            chosen={isChosen(picture)}
            onChoose={() => onChoose(picture)}
          />
        ))}
      </ul>
      <p class="status" role="status">
        {status && (
          <>
            <span class="spinner" aria-hidden="true" /> {status}
          </>
        )}
      </p>
      {intake && (
        <FaceChoice
          intake={intake}
          isChosen={(number) =>
            page.pictures.some(
              (picture) =>
                picture.source?.file === intake.file &&
                picture.source.face === number &&
                isChosen(picture),
            )
          }
          onChoose={chooseFace}
          onAsItIs={() => void crop(intake.file, undefined)}
          onClose={() => setIntake(undefined)}
        />
      )}
      {cameraOpen && (
        <Camera onPhoto={(file) => void receive(file)} onClose={() => setCameraOpen(false)} />
      )}
      {hovering && (
        <div class="drop-target" aria-hidden="true">
          {t("intake.drop")}
        </div>
      )}
    </section>
  );
}

interface ThumbProps {
  picture: Picture;
  label: string;
  chosen: boolean;
  onChoose: () => void;
}

function Thumb({ picture, label, chosen, onChoose }: ThumbProps) {
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (chosen) item.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [chosen]);
  return (
    <li ref={item}>
      <button
        type="button"
        class="thumb"
        aria-label={label}
        title={label}
        aria-pressed={chosen}
        draggable
        onClick={onChoose}
        onDragStart={(event) => event.dataTransfer?.setData("text/x-picture", picture.id)}
      >
        <img src={picture.url} alt="" width="72" height="72" />
      </button>
    </li>
  );
}
