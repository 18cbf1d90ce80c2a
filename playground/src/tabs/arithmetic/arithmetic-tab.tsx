/** The tab Arithmetic: pictures in named groups, and an expression over the groups. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Curl } from "../../components/curl";
import { Shelf } from "../../components/shelf";
import { usePage, type TabProps } from "../../page";
import { samplePicture, type Picture } from "../../state/pictures";
import { Answer } from "./answer";
import {
  answerCommand,
  freeName,
  readArithmetic,
  renamed,
  withTerm,
  writeArithmetic,
  type ArithmeticState,
  type Group,
} from "./arithmetic-state";
import { ExpressionField } from "./expression-field";
import { GroupCard } from "./group-card";
import { SaveDirection } from "./save-direction";
import { Terms } from "./terms";

export function ArithmeticTab({ params }: TabProps) {
  const page = usePage();
  const { t, service } = page;
  const shown = page.isShown("arithmetic");
  const [state, setState] = useState<ArithmeticState>();
  // Name of the group that pictures go into; a reference, because they may arrive later.
  const target = useRef("");
  const [, redraw] = useState({});

  useEffect(() => {
    const { expression, seeds } = readArithmetic(params);
    const groups = seeds.map(async ([name, all]) => ({
      name,
      pictures: await Promise.all(all.map((seed) => samplePicture(service, seed))),
    }));
    Promise.all(groups)
      .then((loaded) => {
        target.current = loaded[0]?.name ?? "";
        setState({ expression, groups: loaded });
      })
      .catch(page.report);
  }, [params]);

  useEffect(() => {
    if (state) page.writeParams("arithmetic", writeArithmetic(state));
  }, [state, shown]);

  if (!state) return <div class="placeholder picture" aria-busy="true" />;
  const { expression, groups } = state;

  // From the state before, because a photograph arrives while other things may have changed.
  function update(change: (before: ArithmeticState) => Partial<ArithmeticState>): void {
    setState((before) => before && { ...before, ...change(before) });
  }

  const setExpression = (next: string) => update(() => ({ expression: next }));
  const build = (sign: "+" | "-", name: string) =>
    update((before) => ({ expression: withTerm(before.expression, sign, name) }));

  function changeGroup(name: string, change: (group: Group) => Group): void {
    update((before) => ({
      groups: before.groups.map((group) => (group.name === name ? change(group) : group)),
    }));
  }

  function add(name: string, picture: Picture): void {
    changeGroup(name, (group) => ({ ...group, pictures: [...group.pictures, picture] }));
  }

  function aim(name: string): void {
    target.current = name;
    redraw({});
  }

  function addGroup(): void {
    const name = freeName(groups);
    update(() => ({ groups: [...groups, { name, pictures: [] }] }));
    target.current = name;
  }

  function remove(name: string): void {
    const others = groups.filter((group) => group.name !== name);
    update(() => ({ groups: others }));
    if (target.current === name) target.current = others[0]?.name ?? "";
  }

  function rename(before: string, after: string): void {
    if (target.current === before) target.current = after;
    update(() => ({ expression: renamed(expression, before, after) }));
    changeGroup(before, (group) => ({ ...group, name: after }));
  }

  const { connection } = service;
  return (
    <>
      <h2 class="visually-hidden">{t("arithmetic.title")}</h2>
      <Shelf
        shown={shown}
        labelOf={(item) =>
          t("shelf.arithmetic", { name: page.nameOf(item), group: target.current })
        }
        isChosen={(item) => groups.some(({ pictures }) => pictures.some((p) => p.id === item.id))}
        onChoose={(item) => add(target.current, item)}
      />
      <div class="row">
        <label class="inline">
          {t("arithmetic.target")}
          <select value={target.current} onChange={(event) => aim(event.currentTarget.value)}>
            {groups.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" onClick={addGroup}>
          {t("arithmetic.addGroup")}
        </button>
      </div>
      <div class="groups">
        {groups.map((group) => (
          <GroupCard
            key={group.name}
            group={group}
            taken={groups.map(({ name }) => name)}
            onRename={(name) => rename(group.name, name)}
            onPictures={(pictures) => changeGroup(group.name, () => ({ ...group, pictures }))}
            onDrop={(picture) => add(group.name, picture)}
            onDropFile={() => aim(group.name)}
            onTerm={build}
            onRemove={() => remove(group.name)}
          />
        ))}
      </div>
      <div class="workbench">
        <div class="controls">
          <ExpressionField expression={expression} onExpression={setExpression} onTerm={build} />
          <Terms state={state} />
          <SaveDirection groups={groups} />
        </div>
        <Answer state={state} />
      </div>
      <Curl
        commands={answerCommand(state, connection.address("arithmetic"), Boolean(connection.key))}
      />
    </>
  );
}
