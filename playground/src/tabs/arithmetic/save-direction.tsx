/** Saves the step from one group to another as a direction of the service. */

import { useState } from "preact/hooks";

import { usePage } from "../../page";
import { latents, NAME, type Group } from "./arithmetic-state";

export function SaveDirection({ groups }: { groups: readonly Group[] }) {
  const page = usePage();
  const { t, service } = page;
  const filled = groups.filter(({ pictures }) => pictures.length > 0);
  const [name, setName] = useState("");
  const [withName, setWith] = useState<string>();
  const [withoutName, setWithout] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const positives = filled.find((group) => group.name === withName) ?? filled[0];
  const negatives = filled.find((group) => group.name === withoutName) ?? filled[1];

  async function save(event: Event): Promise<void> {
    event.preventDefault();
    if (!NAME.test(name)) return setProblem(t("arithmetic.badName"));
    if (!positives || !negatives || positives === negatives) {
      return setProblem(t("arithmetic.sameGroups"));
    }
    setProblem(undefined);
    setBusy(true);
    try {
      const body = { with: latents(positives.pictures), without: latents(negatives.pictures) };
      await service.putDirection(name, body);
      await page.reloadDirections();
      page.announce(t("arithmetic.saved", { name }));
      setName("");
    } catch (error) {
      page.report(error);
    } finally {
      setBusy(false);
    }
  }

  const choice = (label: string, chosen: Group | undefined, onChoose: (group: string) => void) => (
    <label class="field">
      {label}
      <select value={chosen?.name} onChange={(event) => onChoose(event.currentTarget.value)}>
        {filled.map((group) => (
          <option key={group.name}>{group.name}</option>
        ))}
      </select>
    </label>
  );

  return (
    <form onSubmit={(event) => void save(event)}>
      <fieldset>
        <legend>{t("arithmetic.save")}</legend>
        <div class="options">
          <label class="field">
            {t("arithmetic.saveName")}
            <input
              type="text"
              value={name}
              spellcheck={false}
              autocapitalize="off"
              onInput={(event) => setName(event.currentTarget.value.trim())}
            />
          </label>
          {choice(t("arithmetic.saveWith"), positives, setWith)}
          {choice(t("arithmetic.saveWithout"), negatives, setWithout)}
        </div>
        <p class="error-text" role="alert">
          {problem}
        </p>
        <div>
          <button type="submit" disabled={busy || !name}>
            {t("arithmetic.saveButton")}
          </button>
        </div>
      </fieldset>
    </form>
  );
}
