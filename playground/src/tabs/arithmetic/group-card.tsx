/** A named group of pictures, and their mean. */

import { useState } from "preact/hooks";

import { usePage } from "../../page";
import type { Picture } from "../../state/pictures";
import { NAME, type Group } from "./arithmetic-state";
import { GroupMean } from "./group-mean";

interface Props {
  group: Group;
  /** Names that groups have already. */
  taken: readonly string[];
  onRename: (name: string) => void;
  onPictures: (pictures: readonly Picture[]) => void;
  onDrop: (picture: Picture) => void;
  /** Called before the page receives a file that is dropped here. */
  onDropFile: () => void;
  onTerm: (sign: "+" | "-", name: string) => void;
  onRemove: () => void;
}

export function GroupCard(props: Props) {
  const { group } = props;
  const page = usePage();
  const { t } = page;
  const [problem, setProblem] = useState<string>();
  const { name } = group;

  function rename(next: string): void {
    if (next === name) return setProblem(undefined);
    if (!NAME.test(next)) return setProblem(t("arithmetic.badName"));
    if (props.taken.includes(next)) return setProblem(t("arithmetic.duplicate"));
    setProblem(undefined);
    props.onRename(next);
  }

  function drop(event: DragEvent): void {
    if (event.dataTransfer?.types.includes("Files")) props.onDropFile();
    const id = event.dataTransfer?.getData("text/x-picture");
    const picture = page.pictures.find((known) => known.id === id);
    if (!picture) return;
    event.preventDefault();
    props.onDrop(picture);
  }

  return (
    <section
      class="card group"
      aria-label={name}
      onDragOver={(event) => {
        if (event.dataTransfer?.types.includes("text/x-picture")) event.preventDefault();
      }}
      onDrop={drop}
    >
      <div class="row">
        <input
          type="text"
          class="group-name"
          aria-label={t("arithmetic.groupName")}
          aria-invalid={problem !== undefined}
          value={name}
          spellcheck={false}
          onChange={(event) => rename(event.currentTarget.value.trim())}
        />
        <button
          type="button"
          class="small"
          aria-label={t("arithmetic.plus", { name })}
          onClick={() => props.onTerm("+", name)}
        >
          +
        </button>
        <button
          type="button"
          class="small"
          aria-label={t("arithmetic.minus", { name })}
          onClick={() => props.onTerm("-", name)}
        >
          −
        </button>
        <button
          type="button"
          class="quiet small"
          aria-label={t("arithmetic.removeGroup", { name })}
          onClick={props.onRemove}
        >
          ✕
        </button>
      </div>
      {problem && (
        <p class="error-text" role="alert">
          {problem}
        </p>
      )}
      <div class="group-pictures">
        {group.pictures.length === 0 && <p class="hint">{t("arithmetic.drop")}</p>}
        {group.pictures.map((picture, index) => {
          const label = t("arithmetic.removePicture", { picture: page.nameOf(picture), name });
          return (
            <button
              key={`${picture.id}-${index}`}
              type="button"
              class="thumb removable"
              aria-label={label}
              title={label}
              onClick={() => props.onPictures(group.pictures.filter((_, i) => i !== index))}
            >
              <img src={picture.url} alt="" width="60" height="60" />
            </button>
          );
        })}
        {group.pictures.length > 1 && <GroupMean group={group} />}
      </div>
    </section>
  );
}
