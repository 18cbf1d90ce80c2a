/** The terms of an expression as pictures: a group by its mean, a direction by a sample it moves. */

import { useEffect } from "preact/hooks";

import { BlobImage } from "../../components/blob-image";
import { usePage } from "../../page";
import { formatTerm, parseExpression, type Term } from "../../state/expression";
import { useImageUrl } from "../../state/use-image-url";
import type { ArithmeticState, Group } from "./arithmetic-state";
import { useMean } from "./group-mean";

const PREVIEW_STEPS = 3;

export function Terms({ state }: { state: ArithmeticState }) {
  const { t, directions } = usePage();
  const terms = parseExpression(state.expression);
  if (!terms) return null;
  return (
    <section aria-label={t("arithmetic.terms")}>
      <h3>{t("arithmetic.terms")}</h3>
      <ul class="terms">
        {terms.map((term, index) => {
          const group = state.groups.find(({ name }) => name === term.name);
          const known = directions.some(({ name }) => name === term.name);
          return (
            <li key={index}>
              {group && group.pictures.length > 0 && <GroupTerm term={term} group={group} />}
              {!group && known && <DirectionTerm key={term.name} term={term} />}
              <code>{formatTerm(term)}</code>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function GroupTerm({ term, group }: { term: Term; group: Group }) {
  const { t } = usePage();
  const alt = t("arithmetic.term", { term: formatTerm(term) });
  return <BlobImage image={useMean(group)} alt={alt} class="term-image" />;
}

function DirectionTerm({ term }: { term: Term }) {
  const { t, service, report } = usePage();
  const [preview, setPreview] = useImageUrl();
  useEffect(() => {
    const controller = new AbortController();
    service.previewDirection(term.name, PREVIEW_STEPS, controller.signal).then(setPreview, report);
    return () => controller.abort();
  }, [term.name]);
  const alt = t("arithmetic.term", { term: formatTerm(term) });
  return preview ? <img class="term-image wide" src={preview} alt={alt} /> : null;
}
