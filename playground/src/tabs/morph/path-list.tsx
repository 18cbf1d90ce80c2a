/** The pictures of a path in their order. */

import { usePage } from "../../page";
import type { Picture } from "../../state/pictures";

interface Props {
  path: readonly Picture[];
  onPath: (path: readonly Picture[]) => void;
}

export function PathList({ path, onPath }: Props) {
  const { t, nameOf } = usePage();

  function moveEarlier(index: number): void {
    const next = [...path];
    next.splice(index - 1, 2, path[index]!, path[index - 1]!);
    onPath(next);
  }

  return (
    <section class="card path" aria-label={t("morph.path")}>
      <h3>{t("morph.path")}</h3>
      <ol class="path-list">
        {path.map((picture, index) => {
          const name = nameOf(picture);
          return (
            <li key={`${picture.id}-${index}`}>
              <img src={picture.url} alt={name} width="64" height="64" />
              <div class="row">
                <button
                  type="button"
                  class="quiet small"
                  disabled={index === 0}
                  aria-label={t("morph.earlier", { name })}
                  onClick={() => moveEarlier(index)}
                >
                  ←
                </button>
                <button
                  type="button"
                  class="quiet small"
                  aria-label={t("morph.remove", { name })}
                  onClick={() => onPath(path.filter((_, i) => i !== index))}
                >
                  ✕
                </button>
              </div>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
